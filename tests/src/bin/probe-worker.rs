//! A worker that holds one task of kind `probe` for as long as it lives, and then says what became
//! of its outcome: for tests that kill or stop it. Arguments: address, token.

use std::time::{Duration, Instant};

use proofhouse_tests::work;
use testkit::http::Client;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("no address")?.parse()?;
    let token = arguments.next().ok_or("no token")?;
    let hold = Duration::from_millis(arguments.next().ok_or("no time to hold the task")?.parse()?);
    let worker = Client::new(address, Some(&token));
    let lease = work::claim(&worker, 1, 10).pop().ok_or("nothing to do")?;
    println!("claimed {} {}", lease.task, lease.generation);
    let from = Instant::now();
    let mut number = 0;
    while from.elapsed() < hold {
        number += 1;
        let reply = lease.append(&worker, &[number])?;
        println!("append {number} {}", reply.status);
        std::thread::sleep(Duration::from_millis(50));
    }
    let reply = lease.complete(&worker, &serde_json::json!({"by": "probe-worker"}))?;
    println!("complete {} {}", reply.status, reply.json()["code"].as_str().unwrap_or_default());
    Ok(())
}
