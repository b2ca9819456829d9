/* Loaded by LD_PRELOAD, makes a program find a processor with AVX2 and nothing newer.
 *
 * Linux lets a process have its CPUID instructions fault (arch_prctl, on processors with
 * cpuid_fault). The handler runs the instruction in the program's place and takes out of its
 * answer what a Haswell does not have. Threads and forks inherit the faulting; exec ends it, and
 * there this library is loaded again.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    LAST_LEAF = 0xD, /* of a Haswell: what comes later describes AMX, AVX10 and their like */
    FEATURES = 7,
    HASWELL_FEATURES = 0x000007AB, /* FSGSBASE TSC_ADJUST BMI1 AVX2 SMEP BMI2 ERMS INVPCID */
    EXTENDED = 0x80000000,
};

/* Under this name glibc keeps the function that the one below replaces. */
extern int __sigaction(int, const struct sigaction *, struct sigaction *);

static struct sigaction programs_own; /* what the program wants done on SIGSEGV */

static void answer(greg_t *registers) {
    unsigned leaf = registers[REG_RAX], subleaf = registers[REG_RCX], a, b, c, d;
    __cpuid_count(leaf, subleaf, a, b, c, d);
    if (leaf == 0) {
        a = a < LAST_LEAF ? a : LAST_LEAF;
    } else if (leaf == FEATURES) {
        b = subleaf == 0 ? b & HASWELL_FEATURES : 0;
        a = c = d = 0;
    } else if (leaf > LAST_LEAF && leaf < EXTENDED) {
        a = b = c = d = 0;
    }
    registers[REG_RAX] = a, registers[REG_RBX] = b;
    registers[REG_RCX] = c, registers[REG_RDX] = d;
}

static void fault(int number, siginfo_t *about, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *instruction = (const unsigned char *)registers[REG_RIP];
    /* SI_KERNEL: a fault without an address, as CPUID's is; then the instruction can be read. */
    if (about->si_code == SI_KERNEL && instruction[0] == 0x0F && instruction[1] == 0xA2) {
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
        answer(registers);
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
        registers[REG_RIP] += 2;
    } else if (programs_own.sa_handler == SIG_DFL) {
        __sigaction(number, &programs_own, NULL);
        raise(number);
    } else if (programs_own.sa_flags & SA_SIGINFO) {
        programs_own.sa_sigaction(number, about, context);
    } else if (programs_own.sa_handler != SIG_IGN) {
        programs_own.sa_handler(number);
    }
}

/* What the program does with SIGSEGV comes second. */
int sigaction(int number, const struct sigaction *wanted, struct sigaction *before) {
    if (number != SIGSEGV)
        return __sigaction(number, wanted, before);
    struct sigaction now = programs_own;
    if (wanted)
        programs_own = *wanted;
    if (before)
        *before = now;
    return 0;
}

sighandler_t signal(int number, sighandler_t handler) {
    struct sigaction wanted = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;
    return sigaction(number, &wanted, &before) ? SIG_ERR : before.sa_handler;
}

__attribute__((constructor)) static void disguise(void) {
    struct sigaction first = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (__sigaction(SIGSEGV, &first, &programs_own) ||
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0)) {
        perror("avx2_cpu: CPUID cannot fault on this processor");
        _exit(1);
    }
}
