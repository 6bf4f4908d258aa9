//! Landlock and seccomp.
//!
//! System calls are a list of what may be called, not of what may not: a call
//! that a later kernel adds, or a second numbering of the same calls, is refused
//! without anyone having thought of it. What is refused answers `ENOSYS`, as an
//! older kernel would, and the C library takes its older way where it has one.

use std::collections::BTreeMap;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::ConfineError;

/// Lets this thread and those it starts read below `readable`, and read and
/// write below `writable`. False if the kernel has no Landlock.
pub(crate) fn rule_files(readable: &[&Path], writable: &Path) -> Result<bool, ConfineError> {
    restrict(readable, writable).map_err(|error| ConfineError::Files(error.to_string()))
}

fn restrict(readable: &[&Path], writable: &Path) -> Result<bool, RulesetError> {
    let abi = ABI::V5;
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?;
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    // Regular files and folders: no devices, sockets, pipes, links.
    let writes = reads
        | AccessFs::WriteFile
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Truncate
        | AccessFs::Refer;
    let mut folders = vec![(writable, writes)];
    folders.extend(readable.iter().map(|folder| (*folder, reads)));
    let mut rules = rules;
    for (folder, access) in folders {
        // A folder that is not there cannot be read anyway.
        if let Ok(opened) = PathFd::new(folder) {
            rules = rules.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    let status = rules.restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// What may be called, whatever the arguments.
#[rustfmt::skip]
const CALLS: &[i64] = &[
    // Files, by path and by descriptor; where they may be is Landlock's business.
    libc::SYS_openat, libc::SYS_close, libc::SYS_read, libc::SYS_write, libc::SYS_readv,
    libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_lseek, libc::SYS_ftruncate,
    libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx,
    libc::SYS_getdents64, libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_renameat,
    libc::SYS_renameat2, libc::SYS_readlinkat, libc::SYS_faccessat, libc::SYS_getcwd,
    libc::SYS_copy_file_range, libc::SYS_sendfile, libc::SYS_dup,
    // Memory.
    libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect, libc::SYS_madvise,
    libc::SYS_brk,
    // Threads, signals of one's own, time.
    libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_rseq, libc::SYS_set_tid_address,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_getcpu, libc::SYS_membarrier,
    libc::SYS_gettid, libc::SYS_getpid, libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn, libc::SYS_sigaltstack, libc::SYS_restart_syscall,
    libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_nanosleep,
    libc::SYS_gettimeofday, libc::SYS_getrandom, libc::SYS_sysinfo, libc::SYS_getrusage,
    libc::SYS_ppoll, libc::SYS_exit, libc::SYS_exit_group,
];

/// The older numbers of such calls, which some processors have beside the newer.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER_CALLS: &[i64] = &[
    libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_mkdir,
    libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename, libc::SYS_readlink, libc::SYS_poll,
    libc::SYS_time, libc::SYS_getrlimit,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_CALLS: &[i64] = &[];

/// What a descriptor may be told: to be copied, and its flags. Not whom it signals, nor with what.
const DESCRIPTOR_COMMANDS: [libc::c_int; 6] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
];

/// Refuses every system call but the listed ones, to all threads. False where
/// there are no filters for this processor.
pub(crate) fn filter_calls() -> Result<bool, ConfineError> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(false);
    };
    let refused = |error: seccompiler::Error| ConfineError::SystemCalls(error.to_string());
    let program = program(arch).map_err(|error| refused(error.into()))?;
    seccompiler::apply_filter_all_threads(&program).map_err(refused)?;
    Ok(true)
}

fn program(arch: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS
        .iter()
        .chain(OLDER_CALLS)
        .map(|call| (*call, Vec::new()))
        .collect();
    let only = |argument, op, value| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, op, value)?;
        Ok::<_, seccompiler::BackendError>(vec![SeccompRule::new(vec![condition])?])
    };
    // A thread, never a process. `clone3` keeps its flags in memory, where no
    // filter sees them, so it is refused and `clone` takes its place.
    let thread = libc::CLONE_THREAD as u64;
    let has_thread = SeccompCmpOp::MaskedEq(thread);
    rules.insert(libc::SYS_clone, only(0, has_thread, thread)?);
    // Aborting is a signal to oneself.
    let own = rustix::process::getpid().as_raw_nonzero().get() as u64;
    rules.insert(libc::SYS_tgkill, only(0, SeccompCmpOp::Eq, own)?);
    // Limits may be read. To set one, a third argument points to it.
    rules.insert(libc::SYS_prlimit64, only(2, SeccompCmpOp::Eq, 0)?);
    // Descriptors may be copied and their flags changed; whom they signal may not.
    let commands = DESCRIPTOR_COMMANDS.map(|command| only(1, SeccompCmpOp::Eq, command as u64));
    let commands: Result<Vec<_>, _> = commands.into_iter().collect();
    rules.insert(libc::SYS_fcntl, commands?.concat());
    // The names of threads.
    let name = libc::PR_SET_NAME as u64;
    rules.insert(libc::SYS_prctl, only(0, SeccompCmpOp::Eq, name)?);
    let refused = SeccompAction::Errno(libc::ENOSYS as u32);
    SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_descriptor_is_told_whom_to_signal() {
        // The kernel's F_SETOWN, F_SETSIG and F_SETOWN_EX.
        for command in [8, 10, 15] {
            assert!(!DESCRIPTOR_COMMANDS.contains(&command), "{command}");
        }
        assert!(!CALLS.contains(&libc::SYS_fcntl) && !OLDER_CALLS.contains(&libc::SYS_fcntl));
    }
}
