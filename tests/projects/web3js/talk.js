// What a program with @solana/web3.js does on a cluster: `node talk.js URL`. Prints what it saw as JSON.
const web3 = require("@solana/web3.js");

async function main(url) {
    const connection = new web3.Connection(url, "confirmed");
    const from = web3.Keypair.generate();
    const to = web3.Keypair.generate().publicKey;
    const seen = { version: await connection.getVersion(), genesis: await connection.getGenesisHash() };

    // Confirmed by the WebSocket, on the port after the one of HTTP.
    const latest = await connection.getLatestBlockhash();
    const airdrop = await connection.requestAirdrop(from.publicKey, 2 * web3.LAMPORTS_PER_SOL);
    const told = await connection.confirmTransaction({ signature: airdrop, ...latest });
    seen.airdrop = told.value.err;
    seen.balance = await connection.getBalance(from.publicKey);

    const changes = [];
    const logs = [];
    const listener = connection.onAccountChange(to, (account) => changes.push(account.lamports), "confirmed");
    const logListener = connection.onLogs(to, (line) => logs.push(line.logs), "confirmed");
    const slot = await new Promise((resolve) => {
        const id = connection.onSlotChange((info) => connection.removeSlotChangeListener(id).then(() => resolve(info)));
    });
    seen.slot = slot.slot > slot.root && slot.parent < slot.slot;
    const move = web3.SystemProgram.transfer({ fromPubkey: from.publicKey, toPubkey: to, lamports: web3.LAMPORTS_PER_SOL });
    const signature = await web3.sendAndConfirmTransaction(connection, new web3.Transaction().add(move), [from]);
    while (changes.length === 0 || logs.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await connection.removeAccountChangeListener(listener);
    await connection.removeOnLogsListener(logListener);
    seen.changes = changes;
    seen.logs = logs[0].length;
    const legacy = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    seen.fee = legacy.meta.fee;
    const parsed = await connection.getParsedTransaction(signature, { maxSupportedTransactionVersion: 0 });
    seen.signers = parsed.transaction.message.accountKeys.filter((key) => key.signer).length;
    seen.history = (await connection.getSignaturesForAddress(to)).map((row) => row.signature === signature);
    const block = await connection.getBlock(legacy.slot, { maxSupportedTransactionVersion: 0 });
    seen.block = block.transactions.some((row) => row.transaction.signatures[0] === signature);

    // A version 0 transaction, simulated and sent.
    const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash();
    const message = new web3.TransactionMessage({ payerKey: from.publicKey, recentBlockhash: blockhash, instructions: [move] });
    const second = new web3.VersionedTransaction(message.compileToV0Message());
    seen.messageFee = (await connection.getFeeForMessage(second.message)).value;
    second.sign([from]);
    seen.simulated = (await connection.simulateTransaction(second)).value.err;
    try {
        await connection.sendTransaction(second);
        seen.refused = null;
    } catch (error) {
        seen.refused = error instanceof web3.SendTransactionError && error.transactionMessage;
    }
    seen.expires = lastValidBlockHeight - (await connection.getBlockHeight()) > 100;
    process.stdout.write(JSON.stringify(seen) + "\n");
    process.exit(0);
}

main(process.argv[2]).catch((error) => {
    console.error(error);
    process.exit(1);
});
