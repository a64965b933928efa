// What the published clients give for the cases on standard input: addresses, instructions and accounts, as hex.
import anchor from '@coral-xyz/anchor';
import { address, createNoopSigner } from '@solana/kit';
import * as metadata from '@solana-program/program-metadata';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { deflateSync } from 'node:zlib';

const { decodeIdlAccount, idlAddress } = createRequire(import.meta.url)('@coral-xyz/anchor/dist/cjs/idl.js');
const given = JSON.parse(readFileSync(0, 'utf8'));
const hex = bytes => Buffer.from(bytes).toString('hex');
const shown = made => ({
    data: hex(made.data),
    accounts: made.accounts.map(({ address, role }) => [address, role]), // role: 1 writable, 2 signer, 3 both
});
const key = name => address(given.keys[name]);
const authority = createNoopSigner(key('authority'));
const payer = createNoopSigner(key('payer'));
const program = key('program'), programData = key('program_data');
const form = { encoding: 1, compression: 2, format: 1, dataSource: 0 };
const data = Buffer.from(given.data, 'hex');
const [canonical] = await metadata.findCanonicalPda({ program, seed: given.seed });
const buffer = key('buffer');
const of = { authority, program, programData };
const web3 = anchor.web3;
const coder = new anchor.BorshInstructionCoder(given.otter_idl);
const [record] = web3.PublicKey.findProgramAddressSync(
    [Buffer.from('otter_verify'), new web3.PublicKey(given.keys.authority).toBuffer(), new web3.PublicKey(program).toBuffer()],
    new web3.PublicKey(given.otter_idl.address),
);
const build = { ...given.build, deploy_slot: new anchor.BN(given.slot) };
const idl = decodeIdlAccount(Buffer.from(given.idl_account, 'hex').subarray(8));

console.log(JSON.stringify({
    canonical,
    write: shown(metadata.getWriteInstruction({ buffer, authority: payer, offset: 960, data })),
    write_source: shown(metadata.getWriteInstruction({ buffer: canonical, authority, offset: 0, sourceBuffer: buffer })),
    initialize: shown(metadata.getInitializeInstruction({ metadata: canonical, ...of, seed: given.seed, ...form, data })),
    initialize_buffer: shown(metadata.getInitializeInstruction({
        metadata: canonical, ...of, seed: given.seed, ...form, system: metadata.PROGRAM_METADATA_PROGRAM_ADDRESS,
    })),
    set_data: shown(metadata.getSetDataInstruction({ metadata: canonical, ...of, ...form, data })),
    set_data_buffer: shown(metadata.getSetDataInstruction({ metadata: canonical, ...of, ...form, buffer })),
    trim: shown(metadata.getTrimInstruction({ account: canonical, ...of, destination: payer.address })),
    close: shown(metadata.getCloseInstruction({ account: buffer, authority: payer, destination: payer.address })),
    allocate: shown(metadata.getAllocateInstruction({ buffer: canonical, ...of, seed: given.seed })),
    extend: shown(metadata.getExtendInstruction({ account: canonical, ...of, length: 10240 })),
    account: hex(metadata.getMetadataEncoder().encode({
        program, authority: null, mutable: true, canonical: true, seed: given.seed, ...form, dataLength: data.length, data,
    })),
    unpacked: metadata.unpackDirectData({ data: Buffer.from(given.packed, 'hex'), compression: 2, encoding: 1 }),
    packed: hex(metadata.packDirectData({ content: given.text }).data),
    deflated: hex(deflateSync(given.text)),
    record: record.toBase58(),
    build: hex(coder.encode('initialize', { params: build })),
    build_update: hex(coder.encode('update', { params: build })),
    idl_address: (await idlAddress(new web3.PublicKey(program))).toBase58(),
    idl: { authority: idl.authority.toBase58(), data: hex(idl.data) },
}));
