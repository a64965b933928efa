/* A counter in the shape of an Anchor program: its instructions, accounts and errors are those an Anchor client expects
   from target/idl/counter.json. Built twice: with VERSION=1, and with VERSION=2, which also knows `add`. */
#include "solana.h"

#ifndef VERSION
#error "build with -DVERSION=1 or -DVERSION=2"
#endif

/* Anchor's discriminators as little-endian words: sha256("global:initialize")[0..8], sha256("account:Counter")[0..8]. */
#define IX_INITIALIZE 0xed9b980d1f6dafafull
#define IX_INCREMENT 0x213bae680968120bull
#define IX_ADD 0xb5386fc592f9f929ull
#define ACCOUNT_COUNTER 0x197cfdbcf504b0ffull

/* Anchor's own errors, and this program's from 6000 on. */
enum {
    InstructionMissing = 100,
    InstructionFallbackNotFound = 101,
    InstructionDidNotDeserialize = 102,
    ConstraintSeeds = 2006,
    AccountDiscriminatorMismatch = 3002,
    AccountNotEnoughKeys = 3005,
    AccountNotMutable = 3006,
    AccountOwnedByWrongProgram = 3007,
    InvalidProgramId = 3008,
    AccountNotSigner = 3010,
    Unauthorized = 6000,
    Overflow = 6001,
};

/* struct Counter after its discriminator: authority, count, bump. */
typedef struct { u64 discriminator; u8 authority[32]; u64 count; u8 bump; } __attribute__((packed)) Counter;

INLINE u64 initialize(Info *infos, u64 count, const u8 *program) {
    if (count < 3) return AccountNotEnoughKeys;
    Info *counter = &infos[0], *authority = &infos[1], *system = &infos[2];
    if (!authority->is_signer) return AccountNotSigner;
    if (!authority->is_writable || !counter->is_writable) return AccountNotMutable;
    if (!is_zero32(system->key)) return InvalidProgramId;

    u8 address[32] __attribute__((aligned(8)));
    u8 bump = 0;
    Slice seeds[3] = {{"counter", LEN("counter")}, {authority->key, 32}, {&bump, 1}};
    if (sol_try_find_program_address(seeds, 2, program, address, &bump)) return ConstraintSeeds;
    if (!same32(address, counter->key)) return ConstraintSeeds;

    Rent rent;
    sol_get_rent_sysvar(&rent);
    struct { u32 tag; u64 lamports, space; u8 owner[32]; } __attribute__((packed, aligned(8))) data;
    data.tag = 0; /* CreateAccount */
    data.lamports = (128 + sizeof(Counter)) * rent.lamports_per_byte_year * 2; /* two years' rent: exempt */
    data.space = sizeof(Counter);
    for (int i = 0; i < 32; i++) data.owner[i] = program[i];
    Meta metas[2] = {{authority->key, 1, 1}, {counter->key, 1, 1}};
    Instruction create = {system->key, metas, 2, &data, 52};
    Slice signer = {seeds, 3};
    u64 failed = sol_invoke_signed_c(&create, infos, 3, &signer, 1);
    if (failed) return failed;

    Counter *state = (Counter *)counter->data;
    state->discriminator = ACCOUNT_COUNTER;
    for (int i = 0; i < 32; i++) state->authority[i] = ((const u8 *)authority->key)[i];
    state->count = 0;
    state->bump = bump;
    return 0;
}

INLINE u64 add(Info *infos, u64 count, const u8 *program, u64 amount) {
    if (count < 2) return AccountNotEnoughKeys;
    Info *counter = &infos[0], *authority = &infos[1];
    if (!same32(counter->owner, program)) return AccountOwnedByWrongProgram;
    Counter *state = (Counter *)counter->data;
    if (counter->data_length < sizeof(Counter) || state->discriminator != ACCOUNT_COUNTER)
        return AccountDiscriminatorMismatch;
    if (!counter->is_writable) return AccountNotMutable;
    if (!authority->is_signer) return AccountNotSigner;
    u8 owner[32] __attribute__((aligned(8)));
    for (int i = 0; i < 32; i++) owner[i] = state->authority[i];
    if (!same32(owner, authority->key)) return Unauthorized;
    if (state->count + amount < amount) return Overflow;
    state->count += amount;
    return 0;
}

#define SAY(text) sol_log_(text, LEN(text))

u64 entrypoint(const u8 *input) {
    u64 count = *(const u64 *)input;
    const u8 *at = input + 8;
    Info infos[4];
    if (count > 4) return AccountNotEnoughKeys;
    for (u64 i = 0; i < count; i++) read_account(&at, infos, i);
    u64 length = *(const u64 *)at;
    const u8 *data = at + 8, *program = data + length;
    if (length < 8) return InstructionMissing;
    u64 chosen = *(const u64 *)data;

    if (chosen == IX_INITIALIZE) {
        SAY("Instruction: Initialize");
        return initialize(infos, count, program);
    }
    if (chosen == IX_INCREMENT) {
        SAY("Instruction: Increment");
        return add(infos, count, program, 1);
    }
#if VERSION >= 2
    if (chosen == IX_ADD) {
        SAY("Instruction: Add");
        if (length < 16) return InstructionDidNotDeserialize;
        return add(infos, count, program, *(const u64 *)(data + 8));
    }
#endif
    return InstructionFallbackNotFound;
}
