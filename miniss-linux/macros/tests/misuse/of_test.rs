//! What `test` refuses.

#[miniss_linux::test]
fn not_async() {}

#[miniss_linux::test]
async fn given_arguments(count: usize) {}

#[miniss_linux::test]
async fn generic<T>()
where
    T: Default,
{
}

#[miniss_linux::test]
#[test]
async fn twice_a_test() {}

#[miniss_linux::test(driver = some)]
async fn no_such_driver() {}

#[miniss_linux::test(seeds = 0, deadline = "0 s")]
async fn nothing_is_run() {}

#[miniss_linux::test(seeds = many(), deadline = 5)]
async fn wrong_types() {}

#[miniss_linux::test(deadline = "soon", deadline = "5 s")]
async fn no_deadline() {}

#[miniss_linux::test(flavor = "multi_thread", start_paused = 1)]
async fn unknown() {}

fn main() {}
