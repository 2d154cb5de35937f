"""Numbers of the system calls that sandboxed code may make, and of those that are looked into."""

import msgspec


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of one machine.

    Attributes
    ----------
    audit : int
        How the kernel names the machine to a filter.
    foreign_from : int
        Calls from this number on belong to another way of calling (x32); 0 for none.
    allowed : mapping of name to number
    examined : mapping of name to number
        Allowed for some arguments alone, or answered in a way of their own.
    seccomp : int
        The call that puts a filter on.
    """

    audit: int
    foreign_from: int
    allowed: dict[str, int]
    examined: dict[str, int]
    seccomp: int


def _numbers(text: str) -> dict[str, int]:
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


X86_64 = Architecture(
    audit=0xC000003E,
    foreign_from=0x40000000,
    seccomp=317,
    allowed=_numbers("""
        read 0 write 1 futex 202 mmap 9 munmap 11 mprotect 10 madvise 28 brk 12 mremap 25
        pread64 17 pwrite64 18 readv 19 writev 20 close 3 fstat 5 stat 4 lstat 6 statx 332 lseek 8
        newfstatat 262 getdents64 217 readlink 89 readlinkat 267 access 21 faccessat 269 faccessat2 439
        getcwd 79 statfs 137 fstatfs 138 fadvise64 221
        rseq 334 membarrier 324 set_robust_list 273 get_robust_list 274 set_tid_address 218
        rt_sigaction 13 rt_sigprocmask 14 rt_sigreturn 15 rt_sigpending 127 rt_sigtimedwait 128
        rt_sigsuspend 130 sigaltstack 131 restart_syscall 219 pause 34
        clock_gettime 228 clock_getres 229 clock_nanosleep 230 nanosleep 35 gettimeofday 96 time 201
        times 100 getrusage 98 getitimer 36 setitimer 38 alarm 37
        timerfd_create 283 timerfd_settime 286 timerfd_gettime 287
        poll 7 ppoll 271 select 23 pselect6 270 epoll_create 213 epoll_create1 291 epoll_ctl 233
        epoll_wait 232 epoll_pwait 281 epoll_pwait2 441 eventfd 284 eventfd2 290
        pipe 22 pipe2 293 dup 32 dup2 33 dup3 292 close_range 436
        getpid 39 getppid 110 gettid 186 getuid 102 geteuid 107 getgid 104 getegid 108
        getresuid 118 getresgid 120 getgroups 115 getpgid 121 getpgrp 111 getsid 124
        uname 63 sysinfo 99 getrlimit 97 getcpu 309 sched_yield 24 sched_getaffinity 204
        sched_getparam 143 sched_getscheduler 145 sched_get_priority_max 146
        sched_get_priority_min 147 getpriority 140 capget 125 umask 95
        getrandom 318 exit 60 exit_group 231
    """),
    examined=_numbers("""
        open 2 openat 257 openat2 437 clone 56 clone3 435 kill 62 tgkill 234 fcntl 72 ioctl 16
        prctl 157 prlimit64 302
    """),
)

AARCH64 = Architecture(
    audit=0xC00000B7,
    foreign_from=0,
    seccomp=277,
    allowed=_numbers("""
        read 63 write 64 futex 98 mmap 222 munmap 215 mprotect 226 madvise 233 brk 214 mremap 216
        pread64 67 pwrite64 68 readv 65 writev 66 close 57 fstat 80 statx 291 lseek 62
        newfstatat 79 getdents64 61 readlinkat 78 faccessat 48 faccessat2 439
        getcwd 17 statfs 43 fstatfs 44 fadvise64 223
        rseq 293 membarrier 283 set_robust_list 99 get_robust_list 100 set_tid_address 96
        rt_sigaction 134 rt_sigprocmask 135 rt_sigreturn 139 rt_sigpending 136 rt_sigtimedwait 137
        rt_sigsuspend 133 sigaltstack 132 restart_syscall 128
        clock_gettime 113 clock_getres 114 clock_nanosleep 115 nanosleep 101 gettimeofday 169
        times 153 getrusage 165 getitimer 102 setitimer 103
        timerfd_create 85 timerfd_settime 86 timerfd_gettime 87
        ppoll 73 pselect6 72 epoll_create1 20 epoll_ctl 21 epoll_pwait 22 epoll_pwait2 441
        eventfd2 19 pipe2 59 dup 23 dup3 24 close_range 436
        getpid 172 getppid 173 gettid 178 getuid 174 geteuid 175 getgid 176 getegid 177
        getresuid 148 getresgid 150 getgroups 158 getpgid 155 getsid 156
        uname 160 sysinfo 179 getrlimit 163 getcpu 168 sched_yield 124 sched_getaffinity 123
        sched_getparam 121 sched_getscheduler 120 sched_get_priority_max 125
        sched_get_priority_min 126 getpriority 141 capget 90 umask 166
        getrandom 278 exit 93 exit_group 94
    """),
    examined=_numbers("""
        openat 56 openat2 437 clone 220 clone3 435 kill 129 tgkill 131 fcntl 25 ioctl 29
        prctl 167 prlimit64 261
    """),
)

ARCHITECTURES = {"x86_64": X86_64, "aarch64": AARCH64}
