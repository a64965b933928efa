/* A FAKE of the Program Metadata program (ProgM6JCCvbYkfKqJYHePx4xxSUSqJp7rh8Lyv7nk7S), for tests on a cluster that lacks the
   real one: no registry has its ELF. Written from its published instructions, account layouts and the checks its documentation
   lists, and only as far as ship's publications go: direct data and PDA buffers; no SetAuthority. Not to be deployed anywhere. */
#include "common.h"

#define HEADER 96
enum { Write, Initialize, SetAuthority, SetData, SetImmutable, Trim, Close, Allocate, Extend };
enum { Empty, Buffer, Metadata };

/* Offsets. Metadata and buffer agree up to the authority. */
enum { ProgramAt = 1, AuthorityAt = 33, MutableAt = 65, CanonicalAt = 66, SeedAt = 67, EncodingAt = 83, LengthAt = 87 };
enum { BufferCanonicalAt = 65, BufferSeedAt = 66 };

/* 1 if `authority` is the upgrade authority of `program`, 0 if not or not asked, else an error. */
INLINE u64 is_upgrade_authority(Info *program, Info *program_data, const u8 *authority, const u8 *self) {
    if (same(program_data->key, self, 32)) return 0;
    if (!program->executable || program->data_length < 36 || program->data[0] != 2) return FAIL(InvalidAccountData);
    if (!same(program->data + 4, program_data->key, 32)) return FAIL(InvalidAccountData);
    if (program_data->executable || program_data->data_length < 45 || program_data->data[0] != 3)
        return FAIL(InvalidAccountData);
    return program_data->data[12] == 1 && same(program_data->data + 13, authority, 32);
}

INLINE u64 may_change(Info *account, Info *authority, Info *program, Info *program_data, const u8 *self) {
    if (!authority->is_signer) return FAIL(MissingRequiredSignature);
    const u8 *data = account->data;
    if (same(data + AuthorityAt, authority->key, 32)) return 0;
    int canonical = data[0] == Metadata ? data[CanonicalAt] : data[BufferCanonicalAt];
    if (!canonical || !same(data + ProgramAt, program->key, 32)) return FAIL(IncorrectAuthority);
    u64 is = is_upgrade_authority(program, program_data, authority->key, self);
    return is > 1 ? is : is ? 0 : FAIL(IncorrectAuthority);
}

INLINE u64 known(const u8 *form) {
    return form[0] > 3 || form[1] > 2 || form[2] > 3 ? FAIL(InvalidAccountData) : 0;
}

INLINE u64 write(Info *infos, u64 count, const u8 *args, u64 length, const u8 *self) {
    if (count < 3) return FAIL(NotEnoughAccountKeys);
    if (length < 4) return FAIL(InvalidInstructionData);
    Info *target = &infos[0], *authority = &infos[1], *source = &infos[2];
    if (!authority->is_signer) return FAIL(MissingRequiredSignature);
    if (target->data_length < HEADER || target->data[0] != Buffer) return FAIL(InvalidAccountData);
    if (!same(target->data + AuthorityAt, authority->key, 32)) return FAIL(IncorrectAuthority);
    const u8 *from = args + 4;
    u64 size = length - 4;
    int by_source = !same(source->key, self, 32);
    if (by_source == (size > 0)) return FAIL(InvalidInstructionData);
    if (by_source) {
        if (!same(source->owner, self, 32)) return FAIL(InvalidAccountOwner);
        if (source->data_length < HEADER || source->data[0] != Buffer || same(source->key, target->key, 32))
            return FAIL(InvalidAccountData);
        from = source->data + HEADER;
        size = source->data_length - HEADER;
    }
    u64 at = HEADER + (u64)u32_at(args);
    if (at + size > target->data_length) resize(target, at + size);
    copy(target->data + at, from, size);
    return 0;
}

INLINE u64 find_address(Info *account, Info *authority, Info *program, u64 canonical, const u8 *seed, const u8 *self,
                        Slice *seeds, u64 *seed_count, u8 *bump) {
    u8 address[32] __attribute__((aligned(8)));
    u64 n = 0;
    seeds[n++] = (Slice){program->key, 32};
    if (!canonical) seeds[n++] = (Slice){authority->key, 32};
    seeds[n++] = (Slice){seed, 16};
    if (sol_try_find_program_address(seeds, n, self, address, bump)) return FAIL(InvalidSeeds);
    seeds[n++] = (Slice){bump, 1};
    *seed_count = n;
    return same(address, account->key, 32) ? 0 : FAIL(InvalidSeeds);
}

INLINE u64 initialize(Info *infos, u64 count, const u8 *args, u64 length, const u8 *self) {
    if (count < 5) return FAIL(NotEnoughAccountKeys);
    if (length < 20) return FAIL(InvalidInstructionData);
    Info *metadata = &infos[0], *authority = &infos[1], *program = &infos[2];
    if (!authority->is_signer) return FAIL(MissingRequiredSignature);
    u64 canonical = is_upgrade_authority(program, &infos[3], authority->key, self);
    if (canonical > 1) return canonical;
    Slice seeds[4];
    u64 seed_count;
    u8 bump;
    TRY(find_address(metadata, authority, program, canonical, args, self, seeds, &seed_count, &bump));
    u64 size = length - 20;
    if (metadata->data_length == 0) {
        if (size == 0) return FAIL(InvalidInstructionData);
        TRY(allocate_and_assign(metadata, infos, count, self, HEADER + size, seeds, seed_count));
        copy(metadata->data + HEADER, args + 20, size);
    } else {
        if (metadata->data[0] == Metadata) return FAIL(AccountAlreadyInitialized);
        if (metadata->data[0] != Buffer || size) return FAIL(InvalidAccountData);
        size = metadata->data_length - HEADER;
    }
    TRY(known(args + 16));
    if (args[19] > 2) return FAIL(InvalidAccountData);
    u8 *data = metadata->data;
    data[0] = Metadata;
    copy(data + ProgramAt, program->key, 32);
    if (canonical) fill(data + AuthorityAt, 0, 32);
    else copy(data + AuthorityAt, authority->key, 32);
    data[MutableAt] = 1;
    data[CanonicalAt] = (u8)canonical;
    copy(data + SeedAt, args, 20); /* seed, encoding, compression, format, source: in this order in both */
    put_u32(data + LengthAt, (u32)size);
    return 0;
}

INLINE u64 set_data(Info *infos, u64 count, const u8 *args, u64 length, const u8 *self) {
    if (count < 5) return FAIL(NotEnoughAccountKeys);
    if (length < 3) return FAIL(InvalidInstructionData);
    Info *metadata = &infos[0], *buffer = &infos[2];
    if (metadata->data_length < HEADER || metadata->data[0] != Metadata) return FAIL(UninitializedAccount);
    if (!metadata->data[MutableAt]) return FAIL(Immutable);
    TRY(may_change(metadata, &infos[1], &infos[3], &infos[4], self));
    TRY(known(args));
    copy(metadata->data + EncodingAt, args, 3);
    int by_buffer = !same(buffer->key, self, 32);
    if (length == 3) return by_buffer ? FAIL(InvalidInstructionData) : 0;
    const u8 *from = args + 4;
    u64 size = length - 4;
    if (by_buffer == (size > 0)) return FAIL(InvalidInstructionData);
    if (by_buffer) {
        if (!same(buffer->owner, self, 32)) return FAIL(InvalidAccountOwner);
        if (buffer->data_length < HEADER || buffer->data[0] != Buffer) return FAIL(InvalidAccountData);
        from = buffer->data + HEADER;
        size = buffer->data_length - HEADER;
    }
    if (args[3] > 2) return FAIL(InvalidAccountData);
    metadata->data[EncodingAt + 3] = args[3];
    put_u32(metadata->data + LengthAt, (u32)size);
    resize(metadata, HEADER + size);
    copy(metadata->data + HEADER, from, size);
    return 0;
}

INLINE u64 set_immutable(Info *infos, u64 count, const u8 *self) {
    if (count < 4) return FAIL(NotEnoughAccountKeys);
    if (infos[0].data_length < HEADER || infos[0].data[0] != Metadata) return FAIL(UninitializedAccount);
    if (!infos[0].data[MutableAt]) return FAIL(Immutable);
    TRY(may_change(&infos[0], &infos[1], &infos[2], &infos[3], self));
    infos[0].data[MutableAt] = 0;
    return 0;
}

/* Of Trim, Close and Extend: a buffer or a mutable metadata account, and somebody who may change it. */
INLINE u64 changeable(Info *infos, const u8 *self) {
    Info *account = &infos[0];
    if (account->data_length < HEADER) return FAIL(UninitializedAccount);
    if (account->data[0] != Buffer && account->data[0] != Metadata) return FAIL(InvalidAccountData);
    if (account->data[0] == Metadata && !account->data[MutableAt]) return FAIL(Immutable);
    return may_change(account, &infos[1], &infos[2], &infos[3], self);
}

INLINE u64 trim(Info *infos, u64 count, const u8 *self) {
    if (count < 6) return FAIL(NotEnoughAccountKeys);
    TRY(changeable(infos, self));
    Info *account = &infos[0];
    if (account->data[0] == Metadata) resize(account, HEADER + u32_at(account->data + LengthAt));
    u64 least = rent_of(account->data_length);
    if (*account->lamports < least) return FAIL(AccountNotRentExempt);
    *infos[4].lamports += *account->lamports - least;
    *account->lamports = least;
    return 0;
}

INLINE u64 allocate(Info *infos, u64 count, const u8 *seed, u64 length, const u8 *self) {
    if (count < 5) return FAIL(NotEnoughAccountKeys);
    if (length != 16) return FAIL(InvalidInstructionData);
    Info *buffer = &infos[0], *authority = &infos[1], *program = &infos[2];
    if (!authority->is_signer) return FAIL(MissingRequiredSignature);
    if (!program->executable) return FAIL(InvalidAccountData);
    u64 canonical = is_upgrade_authority(program, &infos[3], authority->key, self);
    if (canonical > 1) return canonical;
    Slice seeds[4];
    u64 seed_count;
    u8 bump;
    TRY(find_address(buffer, authority, program, canonical, seed, self, seeds, &seed_count, &bump));
    if (buffer->data_length != 0) return FAIL(AccountAlreadyInitialized);
    TRY(allocate_and_assign(buffer, infos, count, self, HEADER, seeds, seed_count));
    if (*buffer->lamports < rent_of(HEADER)) return FAIL(AccountNotRentExempt);
    u8 *data = buffer->data;
    data[0] = Buffer;
    copy(data + ProgramAt, program->key, 32);
    copy(data + AuthorityAt, authority->key, 32);
    data[BufferCanonicalAt] = (u8)canonical;
    copy(data + BufferSeedAt, seed, 16);
    return 0;
}

u64 entrypoint(const u8 *input) {
    u64 count = *(const u64 *)input;
    const u8 *at = input + 8;
    Info infos[7];
    if (count > 7) return FAIL(InvalidArgument);
    for (u64 i = 0; i < count; i++) read_account(&at, infos, i);
    u64 length = *(const u64 *)at;
    const u8 *args = at + 9, *self = at + 8 + length;
    if (length < 1) return FAIL(InvalidInstructionData);
    switch (at[8]) {
    case Write: return write(infos, count, args, length - 1, self);
    case Initialize: return initialize(infos, count, args, length - 1, self);
    case SetData: return set_data(infos, count, args, length - 1, self);
    case SetImmutable: return set_immutable(infos, count, self);
    case Trim: return trim(infos, count, self);
    case Allocate: return allocate(infos, count, args, length - 1, self);
    case Close:
        if (count < 5) return FAIL(NotEnoughAccountKeys);
        TRY(changeable(infos, self));
        close_into(&infos[0], &infos[4]);
        return 0;
    case Extend:
        if (count < 4 || length != 3) return FAIL(InvalidInstructionData);
        TRY(changeable(infos, self));
        resize(&infos[0], infos[0].data_length + args[0] + ((u64)args[1] << 8));
        return 0;
    }
    return FAIL(InvalidInstructionData);
}
