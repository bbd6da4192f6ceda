// SPDX-License-Identifier: MIT
//
// Threads, channels, locks, commands, files, panics, collections and iterators.
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::Duration;

fn primes(limit: usize) -> Vec<usize> {
    let mut composite = vec![false; limit + 1];
    let mut found = Vec::new();
    for n in 2..=limit {
        if composite[n] {
            continue;
        }
        found.push(n);
        for m in (n * n..=limit).step_by(n) {
            composite[m] = true;
        }
    }
    found
}

fn threads() {
    let (sender, receiver) = mpsc::channel();
    let handles: Vec<_> = (0..4)
        .map(|worker| {
            let sender = sender.clone();
            thread::spawn(move || {
                for n in 0..100 {
                    sender.send(worker * 1000 + n).unwrap();
                }
                worker
            })
        })
        .collect();
    drop(sender);
    let total: i64 = receiver.iter().sum();
    println!("received {}, workers {}", total, handles.into_iter().map(|h| h.join().unwrap()).sum::<i64>());

    let (bounded, results) = mpsc::sync_channel(2);
    let feeder = thread::spawn(move || (0..50).for_each(|n| bounded.send(n).unwrap()));
    println!("bounded {:?}", results.iter().fold(0, |sum, n| sum * 3 % 1009 + n));
    feeder.join().unwrap();

    let table = Arc::new(RwLock::new(BTreeMap::new()));
    let barrier = Arc::new(Barrier::new(3));
    let leaders = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for n in 0..3 {
            let (table, barrier, leaders) = (&table, &barrier, &leaders);
            scope.spawn(move || {
                for i in 0..20 {
                    *table.write().unwrap().entry(i).or_insert(0) += n;
                }
                if barrier.wait().is_leader() {
                    leaders.fetch_add(1, Ordering::SeqCst);
                }
                assert_eq!(table.read().unwrap().values().sum::<i32>(), 60);
            });
        }
    });
    println!("table of {}, leaders {}", table.read().unwrap().len(), leaders.load(Ordering::SeqCst));

    let pair = Arc::new((Mutex::new(VecDeque::new()), Condvar::new()));
    let other = Arc::clone(&pair);
    let consumer = thread::spawn(move || {
        let mut taken = Vec::new();
        while taken.len() < 10 {
            let mut queue = other.0.lock().unwrap();
            while queue.is_empty() {
                queue = other.1.wait(queue).unwrap();
            }
            taken.extend(queue.drain(..));
        }
        taken
    });
    for n in 0..10 {
        pair.0.lock().unwrap().push_back(n);
        pair.1.notify_one();
        thread::sleep(Duration::from_micros(100));
    }
    println!("{:?}", consumer.join().unwrap());
    let waited = pair.1.wait_timeout(pair.0.lock().unwrap(), Duration::from_millis(2)).unwrap();
    println!("timed out {}", waited.1.timed_out());
    let panicked = thread::spawn(|| {
        std::panic::set_hook(Box::new(|_| ()));
        let none: Option<i32> = None;
        none.expect("nothing there")
    })
    .join();
    println!("panicked: {:?}", panicked.unwrap_err().downcast_ref::<String>().map(String::as_str).or(Some("text")));
}

fn commands() -> std::io::Result<()> {
    let output = Command::new("sh").args(["-c", "echo $NAME; exit 4"]).env("NAME", "value").output()?;
    println!("{:?} {:?}", String::from_utf8_lossy(&output.stdout), output.status.code());
    let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    sort.stdin.take().unwrap().write_all(b"pear\napple\n")?;
    let mut text = String::new();
    sort.stdout.take().unwrap().read_to_string(&mut text)?;
    println!("{:?} {}", text, sort.wait()?.success());
    let mut sleeper = Command::new("sleep").arg("30").spawn()?;
    println!("{:?}", sleeper.try_wait()?);
    sleeper.kill()?;
    println!("{}", sleeper.wait()?);
    println!("{}", Command::new("/no/such/program").spawn().unwrap_err());
    Ok(())
}

fn main() -> std::io::Result<()> {
    let found = primes(200_000);
    println!("{} primes, the last {}", found.len(), found[found.len() - 1]);
    let mut heap: BinaryHeap<u64> = (1..5000u64).map(|n| n * 7919 % 10007).collect();
    let top: Vec<_> = (0..5).filter_map(|_| heap.pop()).collect();
    println!("{:?}", top);
    let mut words: HashMap<String, usize> = HashMap::new();
    for word in "a rose is a rose is a rose".split(' ') {
        *words.entry(word.to_string()).or_default() += 1;
    }
    let mut counted: Vec<_> = words.into_iter().collect();
    counted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    println!("{:?} {:.6} {:e} {:#x}", counted, std::f64::consts::E, 12345.678, 255);
    threads();
    commands()?;
    fs::create_dir_all("deep/er")?;
    fs::write("deep/er/file", (0..100).map(|n| format!("{n}\n")).collect::<String>())?;
    let sum: i32 = BufReader::new(fs::File::open("deep/er/file")?).lines().map(|line| line.unwrap().parse::<i32>().unwrap()).sum();
    fs::rename("deep/er/file", "deep/moved")?;
    println!("{} {} {:?}", sum, fs::metadata("deep/moved")?.len(), fs::read("deep/er/file").unwrap_err().kind());
    fs::remove_dir_all("deep")?;
    println!("{}", i32::from_str_radix("zz", 36).unwrap().checked_mul(i32::MAX).is_none());
    std::process::exit(6)
}
