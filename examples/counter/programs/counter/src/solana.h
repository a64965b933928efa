/* What a program needs of Solana's C interface, written from the runtime's documented ABI: the input layout of loader v3
   programs, and the syscalls used here. Everything is inlined: the program is one function. */
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define INLINE static inline __attribute__((always_inline))
#define LEN(text) (sizeof(text) - 1)
#define MAX_GROWTH 10240 /* bytes after each account's data that it may grow into */

extern void sol_log_(const char *text, u64 length);
extern u64 sol_try_find_program_address(const void *seeds, u64 count, const void *program, void *address, u8 *bump);
extern u64 sol_invoke_signed_c(const void *instruction, const void *infos, u64 info_count, const void *signers,
                               u64 signer_count);
extern u64 sol_get_rent_sysvar(void *rent);

typedef struct { const void *at; u64 length; } Slice; /* a seed, or the seeds of one signer */
typedef struct { const void *key; u8 is_writable, is_signer; } Meta;
typedef struct { const void *program; const Meta *metas; u64 meta_count; const void *data; u64 data_length; } Instruction;
typedef struct {
    const void *key; u64 *lamports; u64 data_length; u8 *data; const void *owner; u64 rent_epoch;
    u8 is_signer, is_writable, executable;
} Info;
typedef struct { u64 lamports_per_byte_year; double threshold; u8 burn_percent; } Rent;

INLINE int same32(const void *a, const void *b) {
    const u64 *x = a, *y = b;
    return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

INLINE int is_zero32(const void *a) {
    const u64 *x = a;
    return (x[0] | x[1] | x[2] | x[3]) == 0;
}

INLINE void copy32(void *to, const void *from) {
    u64 *x = to;
    const u64 *y = from;
    x[0] = y[0], x[1] = y[1], x[2] = y[2], x[3] = y[3];
}

/* Reads one account at *at and moves *at behind it. One that repeats an earlier account is given as that one. */
INLINE void read_account(const u8 **at, Info *infos, u64 index) {
    const u8 *p = *at;
    Info *info = &infos[index];
    if (*p != 0xff) {
        *info = infos[*p];
        *at = p + 8;
        return;
    }
    info->is_signer = p[1];
    info->is_writable = p[2];
    info->executable = p[3];
    info->key = p + 8;
    info->owner = p + 40;
    info->lamports = (u64 *)(p + 72);
    info->data_length = *(const u64 *)(p + 80);
    info->data = (u8 *)(p + 88);
    u64 end = 88 + info->data_length + MAX_GROWTH;
    end = (end + 7) & ~7ull;
    info->rent_epoch = *(const u64 *)(p + end);
    *at = p + end + 8;
}
