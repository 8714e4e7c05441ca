fn main() {
    let runtime = miniss_linux::Runtime::new();
    runtime.block_on(async {
        println!("Hello from rust-miniss!");
    });
    println!("{:?}", runtime.run(|| async { miniss_linux::ShardId::current() }));
    let h = runtime.handle();
    let t = std::thread::spawn(move || h.submit_to(1, async || { miniss_linux::time::sleep(std::time::Duration::from_millis(10)).await; 5}).wait());
    println!("{:?}", t.join().unwrap().unwrap());
    let s = std::time::Instant::now();
    runtime.block_on(async { for _ in 0..10000 { miniss_linux::submit_to(1, async || 5).await.unwrap(); } });
    println!("{:?}", s.elapsed()/10000);
    let s = std::time::Instant::now();
    runtime.block_on(async { for _ in 0..1000000 { miniss_linux::spawn(async { 5 }).await.unwrap(); } });
    println!("{:?}", s.elapsed()/1000000);
    let s = std::time::Instant::now();
    drop(runtime);
    println!("drop {:?}", s.elapsed());
}
