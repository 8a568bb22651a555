//! A network between a worker and its plane that can be cut: both ways, and so that nobody notices (F23).

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Weather {
    /// Everything passes.
    Clear = 0,
    /// Connections end, and new ones are refused.
    Cut = 1,
    /// What the worker sends arrives; no answer comes back, and no connection ends: half open.
    Deaf = 2,
    /// Nothing passes either way, and no connection ends.
    Frozen = 3,
}

/// A proxy to a plane that may move.
#[derive(Debug, Clone)]
pub struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    weather: AtomicU8,
    target: Mutex<SocketAddr>,
}

impl Proxy {
    /// Starts one.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be bound");
        let address = listener.local_addr().expect("a bound listener has an address");
        let inner = Arc::new(Inner { weather: AtomicU8::new(0), target: Mutex::new(target) });
        let proxy = Self { address, inner };
        let serving = proxy.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.carry(&stream));
            }
        });
        proxy
    }

    /// Where the worker calls.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the network.
    pub fn set(&self, weather: Weather) {
        self.inner.weather.store(weather as u8, Relaxed);
    }

    /// The plane listens elsewhere now.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.inner.target.lock().expect("nobody panics with it") = target;
    }

    fn is(&self, weather: Weather) -> bool {
        self.inner.weather.load(Relaxed) == weather as u8
    }

    fn carry(&self, near: &TcpStream) {
        while self.is(Weather::Frozen) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let target = *self.inner.target.lock().expect("nobody panics with it");
        let far = if self.is(Weather::Cut) { None } else { TcpStream::connect(target).ok() };
        let Some(far) = far else {
            let _ = near.shutdown(Shutdown::Both);
            return;
        };
        std::thread::scope(|scope| {
            scope.spawn(|| self.pass(near, &far, false));
            scope.spawn(|| self.pass(&far, near, true));
        });
    }

    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream, is_answer: bool) {
        let _ = from.set_read_timeout(Some(Duration::from_millis(50)));
        let mut bytes = [0; 16 << 10];
        loop {
            if self.is(Weather::Cut) {
                break;
            }
            let read = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    continue;
                }
                Err(_) => break,
            };
            while self.is(Weather::Frozen) {
                std::thread::sleep(Duration::from_millis(20));
            }
            // Lost on its way.
            if is_answer && self.is(Weather::Deaf) {
                continue;
            }
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
