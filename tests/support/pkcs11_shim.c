/* A PKCS#11 library in front of SoftHSM that misbehaves as SHIM_FAULT says, and writes the calls that matter to SHIM_LOG.
 * The order of the function list and the layout of CK_TOKEN_INFO are PKCS#11 2.40's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ulong;
typedef ulong (*function)();
typedef struct { unsigned char major, minor; function at[68]; } list;
enum { FINALIZE = 1, TOKEN_INFO = 6, LOGIN = 18, SIGN = 43 };

static list *real, ours;

static int fault(const char *name) {
    const char *said = getenv("SHIM_FAULT");
    return said && strcmp(said, name) == 0;
}

static void note(const char *call) {
    FILE *file = fopen(getenv("SHIM_LOG"), "a");
    if (!file) abort();
    fprintf(file, "%s %d\n", call, (int)getpid());
    fclose(file);
}

static ulong finalize(void *reserved) { note("C_Finalize"); return real->at[FINALIZE](reserved); }

static ulong token_info(ulong slot, unsigned char *info) {
    ulong answer = real->at[TOKEN_INFO](slot, info);
    ulong *flags = (ulong *)(info + 96);
    if (fault("final-try")) *flags |= 0x20000;
    if (fault("locked")) *flags |= 0x40000;
    if (fault("final-try-after") && (*flags & 0x10000)) *flags |= 0x20000;
    if (fault("hardware")) { memset(info + 32, ' ', 48); memcpy(info + 32, "Acme HSMs", 9); }
    return answer;
}

static ulong login(ulong session, ulong user, void *pin, ulong length) {
    note("C_Login");
    return real->at[LOGIN](session, user, pin, length);
}

static ulong sign(ulong session, void *data, ulong length, unsigned char *out, ulong *out_length) {
    if (fault("hang")) { note("C_Sign"); pause(); }
    if (fault("removed")) return 0x32; /* CKR_DEVICE_REMOVED */
    ulong answer = real->at[SIGN](session, data, length, out, out_length);
    if (fault("corrupt") && answer == 0 && out) out[5] ^= 1;
    if (fault("short") && answer == 0 && out) *out_length -= 1;
    return answer;
}

ulong C_GetFunctionList(list **out) {
    void *library = dlopen(getenv("SHIM_REAL"), RTLD_NOW);
    if (!library) return 5;
    ulong (*get)(list **) = (ulong (*)(list **))dlsym(library, "C_GetFunctionList");
    ulong answer = get(&real);
    if (answer) return answer;
    ours = *real;
    ours.at[FINALIZE] = (function)finalize;
    ours.at[TOKEN_INFO] = (function)token_info;
    ours.at[LOGIN] = (function)login;
    ours.at[SIGN] = (function)sign;
    *out = &ours;
    return 0;
}
