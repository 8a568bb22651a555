//! What this machine itself can do, so that figures of two machines can be compared.

use std::{
    fs::OpenOptions,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;

const FOR: Duration = Duration::from_millis(1_000);

/// Synced writes of 4 KiB a second, one after another, in the folder where the planes' data will lie.
pub fn syncs_per_second(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("sync-probe");
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let page = [7u8; 4096];
    // Written once before, so that what is measured is the sync and not the growth of the file.
    file.write_all_at(&vec![0; 4096 * 256], 0)?;
    file.sync_all()?;
    let started = Instant::now();
    let mut count = 0u32;
    while started.elapsed() < FOR {
        file.write_all_at(&page, u64::from(count % 256) * 4096)?;
        // SAFETY: the descriptor is owned by `file`, which lives until after the call.
        if unsafe { libc::fdatasync(file.as_raw_fd()) } != 0 {
            return Err(std::io::Error::last_os_error()).context("failed to sync the probe file");
        }
        count += 1;
    }
    let rate = f64::from(count) / started.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(rate)
}

/// Round trips of 64 bytes a second between two threads over one loopback connection.
pub fn round_trips_per_second() -> anyhow::Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let echo = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        let mut bytes = [0; 64];
        while peer.read_exact(&mut bytes).is_ok() {
            peer.write_all(&bytes)?;
        }
        Ok(())
    });
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut bytes = [1; 64];
    let started = Instant::now();
    let mut count = 0u32;
    while started.elapsed() < FOR {
        stream.write_all(&bytes)?;
        stream.read_exact(&mut bytes)?;
        count += 1;
    }
    let rate = f64::from(count) / started.elapsed().as_secs_f64();
    drop(stream);
    echo.join().map_err(|_| anyhow::anyhow!("the echo thread panicked"))??;
    Ok(rate)
}

/// The processor's name and the number of cores this process may use.
pub fn cores() -> (String, usize) {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned()));
    (
        name.unwrap_or_else(|| "unknown processor".to_owned()),
        std::thread::available_parallelism().map_or(1, usize::from),
    )
}

/// A process's resident memory in bytes.
pub fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("failed to read a process's memory")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .context("the kernel told no resident memory")?;
    Ok(kib << 10)
}

/// Lets this process and its children open as many files as the machine allows.
pub fn raise_file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the local struct they are given.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
            libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        }
    }
    limit.rlim_cur
}
