/* A FAKE of the Squads v4 program, for tests on the local node: the real one's ELF is in no package registry.

   It knows the six instructions ship has to do with, the same discriminators, account layouts, addresses, error numbers and checks
   (member, permission, index, stale index, status, threshold, time lock), and carries an approved transaction out by real
   invocations signed for the vault. What it leaves out, it refuses: lookup tables, ephemeral signers, batches, changes of the
   multisig itself, accounts that somebody sent lamports to before. Written from the published sources' behaviour, not from their code. */
#include "solana.h"

extern u64 sol_get_clock_sysvar(void *clock);

/* sha256("global:NAME")[0..8] and sha256("account:NAME")[0..8] as little-endian words. */
#define IX_CREATE 0xd3dae2d0a84efa30ull
#define IX_OPEN 0x9f4f6c1ee0493cdcull
#define IX_APPROVE 0xf82ad8bc88a42590ull
#define IX_REJECT 0x87f66ae69c863ef3ull
#define IX_CANCEL 0xcb54a326ed7f2a1bull
#define IX_EXECUTE 0xab19a49957a108c2ull
#define MULTISIG 0xec4fa144ba7974e0ull
#define TRANSACTION 0xcfa20e5164a2faa8ull
#define PROPOSAL 0x21358874bbbd5e1aull

enum { MayInitiate = 1, MayVote = 2, MayExecute = 4 };
enum { Draft, Active, Rejected, Approved, Executing, Executed, Cancelled };
enum {
    InstructionFallbackNotFound = 101,
    InstructionDidNotDeserialize = 102,
    ConstraintMut = 2000,
    ConstraintSeeds = 2006,
    AccountDiscriminatorMismatch = 3002,
    AccountNotEnoughKeys = 3005,
    AccountOwnedByWrongProgram = 3007,
    InvalidProgramId = 3008,
    AccountNotSigner = 3010,
    Unauthorized = 6004,
    NotAMember = 6005,
    InvalidTransactionMessage = 6006,
    StaleProposal = 6007,
    InvalidProposalStatus = 6008,
    InvalidTransactionIndex = 6009,
    AlreadyApproved = 6010,
    AlreadyRejected = 6011,
    AlreadyCancelled = 6012,
    InvalidNumberOfAccounts = 6013,
    InvalidAccount = 6014,
    TimeLockNotReleased = 6021,
    ProtectedAccount = 6029,
    NotInThisFake = 9999,
};

#define MAX_ACCOUNTS 48
#define MAX_VOTES 16
typedef struct { u32 count; u8 keys[MAX_VOTES][32]; } Votes;
typedef struct { u64 slot, epoch_start, epoch, leader_epoch; long long now; } Clock;

/* The heap every program has. A frame of the stack is too small for this. */
typedef struct {
    Info infos[MAX_ACCOUNTS];
    Meta metas[MAX_ACCOUNTS];
    Slice seeds[6], signer;
    Votes votes[3];
    u8 address[32], create[56], index[8];
    u8 bump, vault_index;
    u64 count;
    const u8 *program;
    Instruction instruction;
    Rent rent;
    Clock clock;
} Work;
#define W ((Work *)0x300000000ull)

INLINE u64 word(const u8 *at) { return *(const u64 *)at; }
INLINE u64 size16(const u8 *at) { return at[0] | at[1] << 8; }
INLINE u64 size32(const u8 *at) { return *(const u32 *)at; }
INLINE void put32(u8 *at, u32 value) { *(u32 *)at = value; }

INLINE void copy(u8 *to, const u8 *from, u64 length) {
    for (u64 i = 0; i < length; i++) to[i] = from[i];
}

INLINE int before(const u8 *a, const u8 *b) {
    for (int i = 0; i < 32; i++)
        if (a[i] != b[i]) return a[i] < b[i];
    return 0;
}

/* Seeds "multisig", multisig, "transaction", index and, with `last`, "proposal": the address they give, and its bump in W. */
INLINE u64 derive(const void *multisig, u64 index, int proposal) {
    copy(W->index, (const u8 *)&index, 8);
    W->seeds[0] = (Slice){"multisig", LEN("multisig")};
    W->seeds[1] = (Slice){multisig, 32};
    W->seeds[2] = (Slice){"transaction", LEN("transaction")};
    W->seeds[3] = (Slice){W->index, 8};
    u64 count = 4;
    if (proposal) W->seeds[count++] = (Slice){"proposal", LEN("proposal")};
    if (sol_try_find_program_address(W->seeds, count, W->program, W->address, &W->bump)) return 0;
    W->seeds[count] = (Slice){&W->bump, 1};
    W->signer = (Slice){W->seeds, count + 1};
    return count + 1;
}

INLINE u64 derive_vault(const void *multisig, u8 vault_index) {
    W->vault_index = vault_index;
    W->seeds[0] = (Slice){"multisig", LEN("multisig")};
    W->seeds[1] = (Slice){multisig, 32};
    W->seeds[2] = (Slice){"vault", LEN("vault")};
    W->seeds[3] = (Slice){&W->vault_index, 1};
    if (sol_try_find_program_address(W->seeds, 4, W->program, W->address, &W->bump)) return 0;
    W->seeds[4] = (Slice){&W->bump, 1};
    W->signer = (Slice){W->seeds, 5};
    return 5;
}

/* The place of the bump, behind the optional rent collector. */
INLINE u64 bump_at(const Info *multisig) { return multisig->data[94] ? 127 : 95; }

INLINE u64 check_multisig(const Info *multisig) {
    if (!same32(multisig->owner, W->program)) return AccountOwnedByWrongProgram;
    if (multisig->data_length < 132 || word(multisig->data) != MULTISIG) return AccountDiscriminatorMismatch;
    W->seeds[0] = (Slice){"multisig", LEN("multisig")};
    W->seeds[1] = (Slice){"multisig", LEN("multisig")};
    W->seeds[2] = (Slice){multisig->data + 8, 32};
    if (sol_try_find_program_address(W->seeds, 3, W->program, W->address, &W->bump)) return ConstraintSeeds;
    if (!same32(W->address, multisig->key) || multisig->data[bump_at(multisig)] != W->bump) return ConstraintSeeds;
    return 0;
}

INLINE u64 threshold(const Info *multisig) { return size16(multisig->data + 72); }
INLINE u64 newest(const Info *multisig) { return word(multisig->data + 78); }
INLINE u64 stale(const Info *multisig) { return word(multisig->data + 86); }
INLINE u64 member_count(const Info *multisig) { return size32(multisig->data + bump_at(multisig) + 1); }
INLINE const u8 *member_at(const Info *multisig, u64 i) { return multisig->data + bump_at(multisig) + 5 + 33 * i; }

/* One of the bits in `wanted`. */
INLINE u64 check_member(const Info *multisig, const Info *member, u8 wanted) {
    if (!member->is_signer) return AccountNotSigner;
    for (u64 i = 0; i < member_count(multisig); i++) {
        const u8 *one = member_at(multisig, i);
        if (same32(one, member->key)) return one[32] & wanted ? 0 : Unauthorized;
    }
    return NotAMember;
}

INLINE u64 voters(const Info *multisig) {
    u64 found = 0;
    for (u64 i = 0; i < member_count(multisig); i++) found += (member_at(multisig, i)[32] & MayVote) != 0;
    return found;
}

/* An account at the derived address W->address, whose seeds are in W->signer. */
INLINE u64 make(const Info *made, const Info *payer, u64 space) {
    if (!same32(W->address, made->key)) return ConstraintSeeds;
    if (!payer->is_signer) return AccountNotSigner;
    if (!is_zero32(W->infos[4].key)) return InvalidProgramId;
    if (!payer->is_writable || !made->is_writable) return ConstraintMut;
    sol_get_rent_sysvar(&W->rent);
    u64 lamports = (128 + space) * W->rent.lamports_per_byte_year * 2;
    put32(W->create, 0); /* CreateAccount */
    copy(W->create + 4, (const u8 *)&lamports, 8);
    copy(W->create + 12, (const u8 *)&space, 8);
    copy(W->create + 20, W->program, 32);
    W->metas[0] = (Meta){payer->key, 1, 1};
    W->metas[1] = (Meta){made->key, 1, 1};
    W->instruction = (Instruction){W->infos[4].key, W->metas, 2, W->create, 52};
    return sol_invoke_signed_c(&W->instruction, W->infos, W->count, &W->signer, 1);
}

/* The compact message `at` in Borsh at `to`, or only its length there where `to` is null; 0 for one the program would not take. */
INLINE u64 expand(const u8 *at, u64 length, u8 *to) {
    const u8 *end = at + length;
    u64 size = 3 + 4;
    if (length < 6) return 0;
    u64 signers = at[0], writable_signers = at[1], writable_others = at[2], keys = at[3];
    if (signers > keys || writable_signers > signers || writable_others > keys - signers) return 0;
    if (at + 4 + 32 * keys + 2 > end) return 0;
    if (to) {
        copy(to, at, 3);
        put32(to + 3, keys);
        copy(to + 7, at + 4, 32 * keys);
    }
    size += 32 * keys;
    at += 4 + 32 * keys;
    u64 count = *at++;
    if (to) put32(to + size, count);
    size += 4;
    for (u64 i = 0; i < count; i++) {
        if (at + 2 > end) return 0;
        u64 accounts = at[1];
        if (at[0] >= keys || at + 2 + accounts + 2 > end) return 0;
        for (u64 j = 0; j < accounts; j++)
            if (at[2 + j] >= keys) return 0;
        u64 data = size16(at + 2 + accounts);
        if (at + 2 + accounts + 2 + data > end) return 0;
        if (to) {
            to[size] = at[0];
            put32(to + size + 1, accounts);
            copy(to + size + 5, at + 2, accounts);
            put32(to + size + 5 + accounts, data);
            copy(to + size + 9 + accounts, at + 4 + accounts, data);
        }
        size += 9 + accounts + data;
        at += 4 + accounts + data;
    }
    if (at >= end || *at) return 0; /* lookup tables: not in this fake */
    if (to) put32(to + size, 0);
    return size + 4;
}

INLINE u64 create(const u8 *data, u64 length) {
    Info *multisig = &W->infos[0], *made = &W->infos[1], *creator = &W->infos[2], *payer = &W->infos[3];
    if (W->count < 5) return AccountNotEnoughKeys;
    u64 failed = check_multisig(multisig);
    if (failed) return failed;
    if (!multisig->is_writable) return ConstraintMut;
    failed = check_member(multisig, creator, MayInitiate);
    if (failed) return failed;
    if (length < 14 || 14 + size32(data + 10) > length) return InstructionDidNotDeserialize;
    u8 vault_index = data[8];
    if (data[9]) return NotInThisFake;
    const u8 *message = data + 14;
    u64 message_length = size32(data + 10), space = expand(message, message_length, 0);
    if (!space) return InvalidTransactionMessage;
    u64 index = newest(multisig) + 1;
    if (!derive_vault(multisig->key, vault_index)) return ConstraintSeeds;
    u8 vault_bump = W->bump;
    if (!derive(multisig->key, index, 0)) return ConstraintSeeds;
    failed = make(made, payer, 8 + 32 + 32 + 8 + 3 + 4 + space);
    if (failed) return failed;
    u8 *to = made->data;
    *(u64 *)to = TRANSACTION;
    copy32(to + 8, multisig->key);
    copy32(to + 40, creator->key);
    *(u64 *)(to + 72) = index;
    to[80] = W->bump;
    to[81] = vault_index;
    to[82] = vault_bump;
    put32(to + 83, 0);
    expand(message, message_length, to + 87);
    *(u64 *)(multisig->data + 78) = index;
    return 0;
}

INLINE u64 open_votes(const u8 *data, u64 length) {
    Info *multisig = &W->infos[0], *made = &W->infos[1], *creator = &W->infos[2], *payer = &W->infos[3];
    if (W->count < 5) return AccountNotEnoughKeys;
    u64 failed = check_multisig(multisig);
    if (failed) return failed;
    if (length < 17) return InstructionDidNotDeserialize;
    u64 index = word(data + 8);
    if (index > newest(multisig)) return InvalidTransactionIndex;
    if (index <= stale(multisig)) return StaleProposal;
    failed = check_member(multisig, creator, MayInitiate | MayVote);
    if (failed) return failed;
    if (!derive(multisig->key, index, 1)) return ConstraintSeeds;
    failed = make(made, payer, 8 + 32 + 8 + 9 + 1 + 3 * (4 + 32 * member_count(multisig)));
    if (failed) return failed;
    sol_get_clock_sysvar(&W->clock);
    u8 *to = made->data;
    *(u64 *)to = PROPOSAL;
    copy32(to + 8, multisig->key);
    *(u64 *)(to + 40) = index;
    to[48] = data[16] ? Draft : Active;
    *(long long *)(to + 49) = W->clock.now;
    to[57] = W->bump;
    return 0;
}

INLINE u64 check_proposal(const Info *multisig, const Info *proposal, u64 index) {
    if (!same32(proposal->owner, W->program)) return AccountOwnedByWrongProgram;
    if (proposal->data_length < 70 || word(proposal->data) != PROPOSAL) return AccountDiscriminatorMismatch;
    if (!derive(multisig->key, index, 1) || !same32(W->address, proposal->key)) return ConstraintSeeds;
    return proposal->is_writable ? 0 : ConstraintMut;
}

INLINE void settle(Info *proposal, u8 status) {
    sol_get_clock_sysvar(&W->clock);
    proposal->data[48] = status;
    *(long long *)(proposal->data + 49) = W->clock.now;
}

/* `kind`: 0 approve, 1 reject, 2 cancel, which is the order of the lists in the account too. */
INLINE u64 vote(int kind) {
    Info *multisig = &W->infos[0], *member = &W->infos[1], *proposal = &W->infos[2];
    if (W->count < 3) return AccountNotEnoughKeys;
    u64 failed = check_multisig(multisig);
    if (failed) return failed;
    failed = check_member(multisig, member, MayVote);
    if (failed) return failed;
    u64 index = word(proposal->data + 40);
    failed = check_proposal(multisig, proposal, index);
    if (failed) return failed;
    if (proposal->data[48] != (kind == 2 ? Approved : Active)) return InvalidProposalStatus;
    if (kind != 2 && index <= stale(multisig)) return StaleProposal;

    const u8 *at = proposal->data + 58;
    for (int list = 0; list < 3; list++) {
        Votes *votes = &W->votes[list];
        u64 count = size32(at), kept = 0, place = 0;
        if (count >= MAX_VOTES) return NotInThisFake;
        at += 4;
        for (u64 i = 0; i < count; i++, at += 32) {
            if (same32(at, member->key)) {
                if (list == kind) return AlreadyApproved + kind;
                if (kind != 2 && list != 2) continue; /* a vote the other way is taken back */
            }
            place += before(at, member->key);
            copy32(votes->keys[kept++], at);
        }
        if (list == kind) {
            for (u64 i = kept; i > place; i--) copy32(votes->keys[i], votes->keys[i - 1]);
            copy32(votes->keys[place], member->key);
            kept++;
        }
        votes->count = kept;
    }
    u8 *to = proposal->data + 58;
    for (int list = 0; list < 3; list++) {
        put32(to, W->votes[list].count);
        copy(to + 4, W->votes[list].keys[0], 32 * W->votes[list].count);
        to += 4 + 32 * W->votes[list].count;
    }
    u64 enough = kind == 1 ? voters(multisig) - threshold(multisig) + 1 : threshold(multisig);
    if (W->votes[kind].count >= enough) settle(proposal, kind == 0 ? Approved : kind == 1 ? Rejected : Cancelled);
    return 0;
}

INLINE u64 execute(void) {
    Info *multisig = &W->infos[0], *proposal = &W->infos[1], *transaction = &W->infos[2], *member = &W->infos[3];
    if (W->count < 4) return AccountNotEnoughKeys;
    u64 failed = check_multisig(multisig);
    if (failed) return failed;
    failed = check_member(multisig, member, MayExecute);
    if (failed) return failed;
    if (!same32(transaction->owner, W->program)) return AccountOwnedByWrongProgram;
    const u8 *kept = transaction->data;
    if (transaction->data_length < 98 || word(kept) != TRANSACTION) return AccountDiscriminatorMismatch;
    u64 index = word(kept + 72);
    if (!derive(multisig->key, index, 0) || !same32(W->address, transaction->key)) return ConstraintSeeds;
    failed = check_proposal(multisig, proposal, index);
    if (failed) return failed;
    sol_get_clock_sysvar(&W->clock);
    if (proposal->data[48] != Approved) return InvalidProposalStatus;
    if (W->clock.now - *(long long *)(proposal->data + 49) < (long long)size32(multisig->data + 74)) return TimeLockNotReleased;
    if (!derive_vault(multisig->key, kept[81])) return ConstraintSeeds;

    const u8 *message = kept + 87, *keys = message + 7;
    u64 signers = message[0], writable_signers = message[1], writable_others = message[2], key_count = size32(message + 3);
    if (W->count != 4 + key_count) return InvalidNumberOfAccounts;
    for (u64 i = 0; i < key_count; i++) {
        Info *given = &W->infos[4 + i];
        int writes = i < signers ? i < writable_signers : i - signers < writable_others;
        if (!same32(given->key, keys + 32 * i)) return InvalidAccount;
        if (i < signers && !given->is_signer && !same32(given->key, W->address)) return InvalidAccount;
        if (writes && !given->is_writable) return InvalidAccount;
    }
    const u8 *at = keys + 32 * key_count;
    u64 count = size32(at);
    at += 4;
    for (u64 i = 0; i < count; i++) {
        u64 program = at[0], accounts = size32(at + 1);
        if (accounts > MAX_ACCOUNTS) return NotInThisFake;
        for (u64 j = 0; j < accounts; j++) {
            u64 place = at[5 + j];
            int writes = place < signers ? place < writable_signers : place - signers < writable_others;
            W->metas[j] = (Meta){W->infos[4 + place].key, writes, place < signers};
            if (writes && same32(W->infos[4 + place].key, proposal->key)) return ProtectedAccount;
        }
        u64 length = size32(at + 5 + accounts);
        W->instruction = (Instruction){W->infos[4 + program].key, W->metas, accounts, at + 9 + accounts, length};
        failed = sol_invoke_signed_c(&W->instruction, W->infos, W->count, &W->signer, 1);
        if (failed) return failed;
        at += 9 + accounts + length;
    }
    settle(proposal, Executed);
    return 0;
}

u64 entrypoint(const u8 *input) {
    const u8 *at = input + 8;
    W->count = *(const u64 *)input;
    if (W->count > MAX_ACCOUNTS) return NotInThisFake;
    for (u64 i = 0; i < W->count; i++) read_account(&at, W->infos, i);
    u64 length = *(const u64 *)at;
    const u8 *data = at + 8;
    W->program = data + length;
    if (length < 8) return InstructionFallbackNotFound;
    sol_log_("a FAKE of Squads v4", LEN("a FAKE of Squads v4"));
    u64 chosen = word(data);
    if (chosen == IX_CREATE) return create(data, length);
    if (chosen == IX_OPEN) return open_votes(data, length);
    if (chosen == IX_APPROVE) return vote(0);
    if (chosen == IX_REJECT) return vote(1);
    if (chosen == IX_CANCEL) return vote(2);
    if (chosen == IX_EXECUTE) return execute();
    return InstructionFallbackNotFound;
}
