// What the Squads SDK makes of the cases on standard input (a JSON list), as JSON: `node encode.js < CASES.json`. Bytes are hex.
const web3 = require("@solana/web3.js");
const { accounts, getMultisigPda, getProposalPda, getTransactionPda, getVaultPda, instructions, utils } = require("@sqds/multisig");

const key = (text) => new web3.PublicKey(text);
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const shown = (made) => ({
    program: made.programId.toBase58(),
    keys: made.keys.map((meta) => [meta.pubkey.toBase58(), meta.isSigner, meta.isWritable]),
    data: hex(made.data),
});

async function encode(one) {
    const multisigPda = getMultisigPda({ createKey: key(one.createKey) })[0];
    const transactionIndex = BigInt(one.index);
    const vaultPda = getVaultPda({ multisigPda, index: one.vaultIndex })[0];
    const [transactionPda, transactionBump] = getTransactionPda({ multisigPda, index: transactionIndex });
    const [proposalPda, proposalBump] = getProposalPda({ multisigPda, transactionIndex });
    const message = new web3.TransactionMessage({
        payerKey: vaultPda,
        recentBlockhash: web3.PublicKey.default.toBase58(),
        instructions: one.instructions.map((made) => new web3.TransactionInstruction({
            programId: key(made.program === "vault" ? vaultPda : made.program),
            keys: made.keys.map(([address, isSigner, isWritable]) => (
                { pubkey: address === "vault" ? vaultPda : key(address), isSigner, isWritable })),
            data: Buffer.from(made.data, "hex"),
        })),
    });
    const compact = utils.transactionMessageToMultisigTransactionMessageBytes({ message, vaultPda });
    const creator = key(one.creator);
    const rentPayer = key(one.payer);
    const memo = one.memo === null ? undefined : one.memo;
    const create = instructions.vaultTransactionCreate({
        multisigPda, transactionIndex, creator, rentPayer, vaultIndex: one.vaultIndex, ephemeralSigners: 0,
        transactionMessage: message, memo,
    });
    const vote = { multisigPda, transactionIndex, member: creator, memo };

    // The accounts as the program would leave them, written by the SDK.
    const kept = accounts.VaultTransaction.fromArgs({
        multisig: multisigPda, creator, index: one.index, bump: transactionBump, vaultIndex: one.vaultIndex,
        vaultBump: getVaultPda({ multisigPda, index: one.vaultIndex })[1], ephemeralSignerBumps: new Uint8Array(),
        message: one.kept,
    });
    kept.message.accountKeys = one.kept.accountKeys.map(key);
    kept.message.instructions = one.kept.instructions.map((made) => ({
        programIdIndex: made.programIdIndex,
        accountIndexes: Uint8Array.from(made.accountIndexes),
        data: Uint8Array.from(Buffer.from(made.data, "hex")),
    }));
    const proposal = accounts.Proposal.fromArgs({
        multisig: multisigPda, transactionIndex: one.index, status: { __kind: one.status, timestamp: one.since },
        bump: proposalBump, approved: one.approved.map(key), rejected: [], cancelled: [],
    });
    const multisig = accounts.Multisig.fromArgs({
        createKey: key(one.createKey), configAuthority: web3.PublicKey.default, threshold: one.threshold, timeLock: one.timeLock,
        transactionIndex: one.index, staleTransactionIndex: one.stale, rentCollector: one.collector && key(one.collector),
        bump: getMultisigPda({ createKey: key(one.createKey) })[1],
        members: one.members.map(([address, mask]) => ({ key: key(address), permissions: { mask } })),
    });
    const execute = await instructions.vaultTransactionExecute({
        connection: { getAccountInfo: async () => ({ data: kept.serialize()[0], owner: key(one.createKey) }) },
        multisigPda, transactionIndex, member: creator,
    });
    return {
        multisig: multisigPda.toBase58(), vault: vaultPda.toBase58(), transaction: transactionPda.toBase58(),
        proposal: proposalPda.toBase58(), compact: hex(compact),
        create: shown(create),
        open: shown(instructions.proposalCreate({ multisigPda, transactionIndex, creator, rentPayer })),
        approve: shown(instructions.proposalApprove(vote)),
        reject: shown(instructions.proposalReject(vote)),
        cancel: shown(instructions.proposalCancel(vote)),
        execute: shown(execute.instruction),
        accounts: { multisig: hex(multisig.serialize()[0]), transaction: hex(kept.serialize()[0]), proposal: hex(proposal.serialize()[0]) },
    };
}

let text = "";
process.stdin.on("data", (part) => { text += part; });
process.stdin.on("end", async () => {
    const made = [];
    for (const one of JSON.parse(text)) made.push(await encode(one));
    process.stdout.write(JSON.stringify(made) + "\n");
});
