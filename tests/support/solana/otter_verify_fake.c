/* A FAKE of the otter-verify program (verifycLy8mB96wd9wqq3WDXQwM4oU6r42Th37Db9fC), for tests on a cluster that lacks the real one:
   no registry has its ELF. Written from its published IDL: initialize and update of a build's parameters, with the checks Anchor
   makes of their accounts. Not to be deployed anywhere. */
#include "common.h"

/* sha256("global:initialize")[0..8], sha256("global:update")[0..8], sha256("account:BuildParams")[0..8]. */
#define IX_INITIALIZE 0xed9b980d1f6dafafull
#define IX_UPDATE 0x7ffd3f9eb058c8dbull
#define ACCOUNT_BUILD_PARAMS 0x0c73718788c265ceull

enum {
    InstructionMissing = 100, InstructionFallbackNotFound = 101, InstructionDidNotDeserialize = 102, ConstraintMut = 2000,
    ConstraintExecutable = 2007, ConstraintSeeds = 2006, AccountDiscriminatorMismatch = 3002, AccountNotEnoughKeys = 3005,
    AccountOwnedByWrongProgram = 3007, InvalidProgramId = 3008, AccountNotSigner = 3010,
};
#define FIXED 72 /* discriminator, address, signer */

/* Moves over a borsh string; 0 where the data ends before it. */
INLINE const u8 *behind_string(const u8 *at, const u8 *end) {
    if (at + 4 > end) return 0;
    u64 length = u32_at(at);
    return at + 4 + length > end ? 0 : at + 4 + length;
}

/* Whether the bytes are exactly version, git_url, commit, args and deploy_slot. */
INLINE int well_formed(const u8 *at, const u8 *end) {
    for (int i = 0; i < 3; i++)
        if (!(at = behind_string(at, end))) return 0;
    if (at + 4 > end) return 0;
    u32 args = u32_at(at);
    at += 4;
    for (u32 i = 0; i < args; i++)
        if (!(at = behind_string(at, end))) return 0;
    return at + 8 == end;
}

u64 entrypoint(const u8 *input) {
    u64 count = *(const u64 *)input;
    const u8 *at = input + 8;
    Info infos[5];
    if (count > 5) return AccountNotEnoughKeys;
    for (u64 i = 0; i < count; i++) read_account(&at, infos, i);
    u64 length = *(const u64 *)at;
    const u8 *data = at + 8, *self = data + length;
    if (length < 8) return InstructionMissing;
    u64 chosen = u64_at(data);
    if (chosen != IX_INITIALIZE && chosen != IX_UPDATE) return InstructionFallbackNotFound;
    const u8 *params = data + 8;
    u64 size = length - 8;
    if (!well_formed(params, self)) return InstructionDidNotDeserialize;
    if (count < 4) return AccountNotEnoughKeys;
    Info *record = &infos[0], *authority = &infos[1], *program = &infos[2];
    if (!authority->is_signer) return AccountNotSigner;
    if (!authority->is_writable || !record->is_writable) return ConstraintMut;
    if (!program->executable) return ConstraintExecutable;
    if (!is_zero32(infos[3].key)) return InvalidProgramId;
    u8 address[32] __attribute__((aligned(8)));
    u8 bump;
    Slice seeds[4] = {{"otter_verify", LEN("otter_verify")}, {authority->key, 32}, {program->key, 32}, {&bump, 1}};
    if (sol_try_find_program_address(seeds, 3, self, address, &bump)) return ConstraintSeeds;
    if (!same(address, record->key, 32)) return ConstraintSeeds;
    u64 space = FIXED + size + 1, least = rent_of(space);

    if (chosen == IX_INITIALIZE) {
        if (record->data_length) return FAIL(1); /* Custom(0), the system program's "account already in use" */
        if (*record->lamports < least) TRY(transfer(authority, record, infos, count, least - *record->lamports));
        TRY(allocate_and_assign(record, infos, count, self, space, seeds, 4));
        put_u64(record->data, ACCOUNT_BUILD_PARAMS);
        copy(record->data + 8, program->key, 32);
        copy(record->data + 40, authority->key, 32);
    } else {
        if (!same(record->owner, self, 32)) return AccountOwnedByWrongProgram;
        if (record->data_length <= FIXED || u64_at(record->data) != ACCOUNT_BUILD_PARAMS)
            return AccountDiscriminatorMismatch;
        if (space > record->data_length && *record->lamports < least)
            TRY(transfer(authority, record, infos, count, least - *record->lamports));
        if (space < record->data_length && *record->lamports > least) {
            *authority->lamports += *record->lamports - least;
            *record->lamports = least;
        }
        resize(record, space);
    }
    copy(record->data + FIXED, params, size);
    record->data[FIXED + size] = bump;
    return 0;
}
