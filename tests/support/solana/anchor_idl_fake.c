/* A FAKE of an Anchor program (0.29 to 0.32) that has nothing but the IDL instructions Anchor builds into every program, for tests:
   no Anchor program with them can be built here. Written from Anchor's published IdlInstruction and the checks its accounts
   declare. Not to be deployed anywhere. */
#include "common.h"

#define IDL_TAG 0x0a69e9a778bcf440ull      /* sha256("anchor:idl")[0..8], read big-endian */
#define ACCOUNT_IDL 0x9e7b903abf624618ull  /* sha256("internal:IdlAccount")[0..8] as a little-endian word */
#define HEAD 44                            /* discriminator, authority, u32 length */
#define MOST 10000                         /* bytes one instruction creates or adds */
#define IDL_SEED "anchor:idl"

enum { Create, CreateBuffer, Write, SetBuffer, SetAuthority, Close, Resize };
enum {
    InstructionFallbackNotFound = 101, InstructionDidNotDeserialize = 102, IdlInstructionInvalidProgram = 1001,
    IdlAccountNotEmpty = 1002, ConstraintMut = 2000, ConstraintHasOne = 2001, ConstraintRaw = 2003, ConstraintSeeds = 2006,
    ConstraintZero = 2013, RequireGte = 2505, AccountDiscriminatorMismatch = 3002, AccountNotEnoughKeys = 3005,
    AccountOwnedByWrongProgram = 3007, InvalidProgramId = 3008, AccountNotSigner = 3010,
};

INLINE u64 is_idl(Info *account, const u8 *self) {
    if (!same(account->owner, self, 32)) return AccountOwnedByWrongProgram;
    if (account->data_length < HEAD || u64_at(account->data) != ACCOUNT_IDL) return AccountDiscriminatorMismatch;
    return account->is_writable ? 0 : ConstraintMut;
}

INLINE u64 belongs_to(Info *account, Info *authority, const u8 *self) {
    TRY(is_idl(account, self));
    if (!authority->is_signer) return AccountNotSigner;
    if (!same(account->data + 8, authority->key, 32)) return ConstraintHasOne;
    return is_zero32(authority->key) ? ConstraintRaw : 0;
}

INLINE u64 create(Info *infos, u64 count, const u8 *args, u64 length, const u8 *self) {
    if (count < 5) return AccountNotEnoughKeys;
    if (length != 8) return InstructionDidNotDeserialize;
    Info *from = &infos[0], *to = &infos[1], *base = &infos[2];
    if (!from->is_signer) return AccountNotSigner;
    if (!is_zero32(infos[3].key)) return InvalidProgramId;
    if (!same(infos[4].key, self, 32)) return IdlInstructionInvalidProgram;
    u8 address[32] __attribute__((aligned(8)));
    u8 bump;
    Slice seed = {&bump, 1};
    if (sol_try_find_program_address(&seed, 0, self, address, &bump)) return ConstraintSeeds;
    if (!same(address, base->key, 32)) return ConstraintSeeds;
    u64 space = HEAD + u64_at(args);
    if (space > MOST) space = MOST;
    u8 data[104 + LEN(IDL_SEED)] __attribute__((aligned(8)));
    put_u32(data, 3); /* CreateAccountWithSeed */
    copy(data + 4, base->key, 32);
    put_u64(data + 36, LEN(IDL_SEED));
    copy(data + 44, (const u8 *)IDL_SEED, LEN(IDL_SEED));
    put_u64(data + 44 + LEN(IDL_SEED), rent_of(space));
    put_u64(data + 52 + LEN(IDL_SEED), space);
    copy(data + 60 + LEN(IDL_SEED), self, 32);
    Meta metas[3] = {{from->key, 1, 1}, {to->key, 1, 0}, {base->key, 0, 1}};
    Instruction make = {infos[3].key, metas, 3, data, 92 + LEN(IDL_SEED)};
    Slice signer = {&seed, 1};
    TRY(sol_invoke_signed_c(&make, infos, count, &signer, 1));
    put_u64(to->data, ACCOUNT_IDL);
    copy(to->data + 8, from->key, 32);
    return 0;
}

INLINE u64 resize_idl(Info *infos, u64 count, const u8 *args, u64 length, const u8 *self) {
    if (count < 3) return AccountNotEnoughKeys;
    if (length != 8) return InstructionDidNotDeserialize;
    Info *idl = &infos[0], *authority = &infos[1];
    TRY(belongs_to(idl, authority, self));
    if (!authority->is_writable) return ConstraintMut;
    if (u32_at(idl->data + 40)) return IdlAccountNotEmpty;
    u64 wanted = u64_at(args), held = idl->data_length;
    if (wanted < held) return FAIL(InvalidArgument);
    u64 added = wanted - held > MOST ? MOST : wanted - held;
    if (!added) return 0;
    u64 least = rent_of(held + added);
    if (least < *idl->lamports) return FAIL(InvalidArgument);
    TRY(transfer(authority, idl, infos, count, least - *idl->lamports));
    resize(idl, held + added);
    return 0;
}

INLINE u64 write(Info *infos, u64 count, const u8 *args, u64 length, const u8 *self) {
    if (count < 2) return AccountNotEnoughKeys;
    if (length < 4 || u32_at(args) != length - 4) return InstructionDidNotDeserialize;
    TRY(belongs_to(&infos[0], &infos[1], self));
    u64 before = u32_at(infos[0].data + 40), after = before + length - 4;
    if (HEAD + after > infos[0].data_length) return FAIL(AccountDataTooSmall);
    put_u32(infos[0].data + 40, (u32)after);
    copy(infos[0].data + HEAD + before, args + 4, length - 4);
    return 0;
}

INLINE u64 set_buffer(Info *infos, u64 count, const u8 *self) {
    if (count < 3) return AccountNotEnoughKeys;
    Info *buffer = &infos[0], *idl = &infos[1];
    TRY(is_idl(buffer, self));
    TRY(belongs_to(idl, &infos[2], self));
    if (!same(buffer->data + 8, idl->data + 8, 32)) return ConstraintRaw;
    u64 size = u32_at(buffer->data + 40);
    if (HEAD + size > idl->data_length) return RequireGte;
    copy(idl->data + 40, buffer->data + 40, 4 + size);
    return 0;
}

u64 entrypoint(const u8 *input) {
    u64 count = *(const u64 *)input;
    const u8 *at = input + 8;
    Info infos[6];
    if (count > 6) return AccountNotEnoughKeys;
    for (u64 i = 0; i < count; i++) read_account(&at, infos, i);
    u64 length = *(const u64 *)at;
    const u8 *data = at + 8, *self = data + length;
    if (length < 8 || u64_at(data) != IDL_TAG) return InstructionFallbackNotFound;
    if (length < 9) return InstructionDidNotDeserialize;
    const u8 *args = data + 9;
    length -= 9;
    switch (data[8]) {
    case Create: return create(infos, count, args, length, self);
    case CreateBuffer:
        if (count < 2) return AccountNotEnoughKeys;
        if (!same(infos[0].owner, self, 32)) return AccountOwnedByWrongProgram;
        if (!infos[1].is_signer) return AccountNotSigner;
        if (infos[0].data_length < HEAD || u64_at(infos[0].data)) return ConstraintZero;
        put_u64(infos[0].data, ACCOUNT_IDL);
        copy(infos[0].data + 8, infos[1].key, 32);
        return 0;
    case Write: return write(infos, count, args, length, self);
    case SetBuffer: return set_buffer(infos, count, self);
    case SetAuthority:
        if (count < 2) return AccountNotEnoughKeys;
        if (length != 32) return InstructionDidNotDeserialize;
        TRY(belongs_to(&infos[0], &infos[1], self));
        copy(infos[0].data + 8, args, 32);
        return 0;
    case Close:
        if (count < 3) return AccountNotEnoughKeys;
        TRY(belongs_to(&infos[0], &infos[1], self));
        close_into(&infos[0], &infos[2]);
        return 0;
    case Resize: return resize_idl(infos, count, args, length, self);
    }
    return InstructionDidNotDeserialize;
}
