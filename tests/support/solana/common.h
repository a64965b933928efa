/* What the fakes in this folder share, beside examples/counter's solana.h: builtin errors, bytes, sizes, the system program. */
#pragma once
#include "solana.h"

/* ProgramError as the runtime numbers it. */
enum {
    InvalidArgument = 2, InvalidInstructionData, InvalidAccountData, AccountDataTooSmall, InsufficientFunds,
    IncorrectProgramId, MissingRequiredSignature, AccountAlreadyInitialized, UninitializedAccount, NotEnoughAccountKeys,
    InvalidSeeds = 14, AccountNotRentExempt = 16, InvalidAccountOwner = 23, Immutable = 25, IncorrectAuthority = 26,
};
#define FAIL(number) ((u64)(number) << 32)
#define TRY(call) do { u64 failed_ = (call); if (failed_) return failed_; } while (0)

INLINE int same(const u8 *a, const u8 *b, u64 length) {
    for (u64 i = 0; i < length; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

INLINE void copy(u8 *to, const u8 *from, u64 length) {
    for (u64 i = 0; i < length; i++) to[i] = from[i];
}

INLINE void fill(u8 *to, u8 value, u64 length) {
    for (u64 i = 0; i < length; i++) to[i] = value;
}

INLINE u32 u32_at(const u8 *at) { return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24; }

INLINE u64 u64_at(const u8 *at) { return u32_at(at) | (u64)u32_at(at + 4) << 32; }

INLINE void put_u32(u8 *at, u32 value) {
    for (int i = 0; i < 4; i++) at[i] = (u8)(value >> 8 * i);
}

INLINE void put_u64(u8 *at, u64 value) {
    for (int i = 0; i < 8; i++) at[i] = (u8)(value >> 8 * i);
}

/* The threshold is a double, and the machine has no floating point: two, or one where a byte costs its whole rent at once. */
INLINE u64 rent_of(u64 length) {
    struct { u64 lamports, threshold; u8 burn; } rent;
    sol_get_rent_sysvar(&rent);
    return (128 + length) * rent.lamports * (rent.threshold == 0x3ff0000000000000ull ? 1 : 2);
}

/* The runtime reads an account's length from the word before its data, and refuses what grew too much. */
INLINE void resize(Info *account, u64 length) {
    *(u64 *)(account->data - 8) = length;
    account->data_length = length;
}

/* Its lamports to another, its data gone, the system program its owner. */
INLINE void close_into(Info *account, Info *destination) {
    u64 lamports = *account->lamports;
    *account->lamports = 0;
    *destination->lamports += lamports;
    resize(account, 0);
    fill((u8 *)account->owner, 0, 32);
}

/* Allocate, then Assign, signed with the account's own seeds. */
INLINE u64 allocate_and_assign(Info *account, Info *infos, u64 count, const u8 *program, u64 space, const Slice *seeds,
                               u64 seed_count) {
    u8 system[32] __attribute__((aligned(8)));
    fill(system, 0, 32);
    u8 data[36] __attribute__((aligned(8)));
    Meta meta = {account->key, 1, 1};
    Slice signer = {seeds, seed_count};
    put_u32(data, 8);
    put_u64(data + 4, space);
    Instruction allocate = {system, &meta, 1, data, 12};
    TRY(sol_invoke_signed_c(&allocate, infos, count, &signer, 1));
    put_u32(data, 1);
    copy(data + 4, program, 32);
    Instruction assign = {system, &meta, 1, data, 36};
    return sol_invoke_signed_c(&assign, infos, count, &signer, 1);
}

INLINE u64 transfer(Info *from, Info *to, Info *infos, u64 count, u64 lamports) {
    u8 system[32] __attribute__((aligned(8)));
    fill(system, 0, 32);
    u8 data[12] __attribute__((aligned(8)));
    put_u32(data, 2);
    put_u64(data + 4, lamports);
    Meta metas[2] = {{from->key, 1, 1}, {to->key, 1, 0}};
    Instruction move = {system, metas, 2, data, 12};
    return sol_invoke_signed_c(&move, infos, count, 0, 0);
}
