//! What the kernel says of a process, and what it is told (Linux).

use anyhow::{Context, ensure};
use nix::{
    sys::signal::kill,
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use procfs::process::{ProcState, Process, Stat, all_processes};

pub use nix::sys::signal::Signal;

/// Microseconds of CPU that the process has used, in user and in kernel mode, all threads together. From its CPU clock,
/// which counts nanoseconds and not ticks of the scheduler.
pub fn cpu_micros(pid: u32) -> anyhow::Result<u64> {
    let clock = clock_getcpuclockid(id(pid)?).with_context(|| format!("the CPU clock of process {pid}"))?;
    micros_of(clock)
}

fn micros_of(clock: ClockId) -> anyhow::Result<u64> {
    let time = clock_gettime(clock).context("reading a CPU clock")?;
    Ok(u64::try_from(time.tv_sec())? * 1_000_000 + u64::try_from(time.tv_nsec())? / 1_000)
}

/// Microseconds of CPU that the process and its children have used, those that have ended too, in the scheduler's ticks.
pub fn family_cpu_micros(parent: u32) -> anyhow::Result<u64> {
    let parent = id(parent)?.as_raw();
    let mut ticks = 0;
    for process in all_processes()? {
        // One that ends meanwhile is counted with its parent the next time.
        let Ok(stat) = process.and_then(|process| process.stat()) else { continue };
        if stat.pid == parent {
            ticks += own_ticks(&stat) + u64::try_from(stat.cutime + stat.cstime)?;
        } else if stat.ppid == parent {
            ticks += own_ticks(&stat);
        }
    }
    Ok(ticks * 1_000_000 / procfs::ticks_per_second())
}

const fn own_ticks(stat: &Stat) -> u64 {
    stat.utime + stat.stime
}

/// The parent of a process of this machine, if it is there and has this name.
pub fn parent_of(pid: u32, name: &str) -> Option<u32> {
    let stat = Process::new(i32::try_from(pid).ok()?).and_then(|process| process.stat()).ok()?;
    if stat.comm == name { u32::try_from(stat.ppid).ok() } else { None }
}

/// Bytes of memory that are resident.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = Process::new(id(pid)?.as_raw())?.status().context("reading a process's memory")?;
    Ok(status.vmrss.context("no VmRSS")? * 1024)
}

/// Whether every thread of the process is stopped.
pub fn is_stopped(pid: u32) -> anyhow::Result<bool> {
    for task in Process::new(id(pid)?.as_raw())?.tasks()? {
        if task?.stat()?.state()? != ProcState::Stopped {
            return Ok(false);
        }
    }
    Ok(true)
}

pub fn signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    kill(id(pid)?, signal).with_context(|| format!("sending {signal} to process {pid}"))
}

fn id(pid: u32) -> anyhow::Result<Pid> {
    let pid = i32::try_from(pid)?;
    // 0 and negative numbers name groups of processes.
    ensure!(pid > 0, "{pid} names no process");
    Ok(Pid::from_raw(pid))
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn work_is_counted_finer_than_the_schedulers_ticks() {
        let before = cpu_micros(std::process::id()).unwrap();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(3) {
            std::hint::spin_loop();
        }
        assert!(cpu_micros(std::process::id()).unwrap() > before);
        family_cpu_micros(std::process::id()).unwrap();
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert!(cpu_micros(u32::MAX).is_err());
    }

    #[test]
    fn a_process_is_stopped_and_continued() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        assert!(!is_stopped(child.id()).unwrap());
        assert_eq!(parent_of(child.id(), "no such name"), None);
        signal(child.id(), Signal::SIGSTOP).unwrap();
        let began = Instant::now();
        while !is_stopped(child.id()).unwrap() {
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
