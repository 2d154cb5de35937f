"""Calls that no strategy needs, made past every library; bad arguments make those harmless that get through."""

from sandboxes.attacks.means import Ground, is_refused, numbers

CALLS = """
socket 41 198
connect 42 203
accept 43 202
sendto 44 206
bind 49 200
listen 50 201
socketpair 53 199
sendmmsg 307 269
shmget 29 194
semget 64 190
msgget 68 186
mq_open 240 180
memfd_create 319 279
memfd_secret 447 447
ptrace 101 117
process_vm_readv 310 270
pidfd_open 434 434
unshare 272 97
setns 308 268
mount 165 40
pivot_root 155 41
chroot 161 51
fsopen 430 430
fsmount 432 432
open_tree 428 428
move_mount 429 429
mount_setattr 442 442
bpf 321 280
io_uring_setup 425 425
io_uring_enter 426 426
io_uring_register 427 427
userfaultfd 323 282
perf_event_open 298 241
add_key 248 217
request_key 249 218
keyctl 250 219
seccomp 317 277
landlock_create_ruleset 444 444
personality 135 92
modify_ldt 154 -
iopl 172 -
ioperm 173 -
kexec_load 246 104
init_module 175 105
finit_module 313 273
delete_module 176 106
swapon 167 224
reboot 169 142
sethostname 170 161
settimeofday 164 170
clock_settime 227 112
adjtimex 159 171
quotactl 179 60
acct 163 89
syslog 103 116
fanotify_init 300 262
inotify_init1 294 26
name_to_handle_at 303 264
open_by_handle_at 304 265
openat2 437 437
symlinkat 266 36
linkat 265 37
mknodat 259 33
mkdirat 258 34
unlinkat 263 35
renameat2 316 276
fchmodat 268 53
fchownat 260 54
ftruncate 77 46
fallocate 285 47
utimensat 280 88
setxattr 188 5
splice 275 76
vmsplice 278 75
tee 276 77
sendfile 40 71
setrlimit 160 164
set_mempolicy 238 237
mbind 237 235
move_pages 279 239
vhangup 153 58
lookup_dcookie 212 18
clone3 435 435
execve 59 221
execveat 322 281
"""
BAD = -1


def attack(ground: Ground) -> list[str]:
    return [
        name
        for name, number in numbers(CALLS).items()
        if not is_refused(number, BAD, BAD, BAD, BAD, BAD, BAD)
    ]
