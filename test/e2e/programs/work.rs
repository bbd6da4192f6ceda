// SPDX-License-Identifier: MIT
//
// Threads, channels, collections, a panic that is caught, files.

use std::collections::BTreeMap;
use std::sync::{mpsc, Arc, Mutex};
use std::{fs, panic, process, thread, time};

fn main() {
    let shared = Arc::new(Mutex::new(BTreeMap::new()));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..5u64)
        .map(|worker| {
            let shared = Arc::clone(&shared);
            let sender = sender.clone();
            thread::spawn(move || {
                for i in 0..200u64 {
                    shared.lock().unwrap().insert((worker, i), worker * i);
                }
                sender.send(worker).unwrap();
            })
        })
        .collect();
    drop(sender);
    let mut done: Vec<u64> = receiver.iter().collect();
    done.sort_unstable();
    for thread in threads {
        thread.join().unwrap();
    }
    let sum: u64 = shared.lock().unwrap().values().sum();
    println!("{:?} {} {}", done, shared.lock().unwrap().len(), sum);

    let before = time::Instant::now();
    thread::sleep(time::Duration::from_millis(4));
    println!("slept {}", before.elapsed() >= time::Duration::from_millis(4));

    let name = format!("/tmp/rust-work-{}", process::id());
    fs::write(&name, "text").unwrap();
    println!("{}", fs::read_to_string(&name).unwrap());
    fs::remove_file(&name).unwrap();
    println!("{}", fs::metadata("/no/such/file").is_err());

    panic::set_hook(Box::new(|_| {}));
    println!("{}", panic::catch_unwind(|| Vec::<u8>::new()[0]).is_err());
    process::exit(6);
}
