//! What `main` refuses.

mod not_async {
    #[miniss_linux::main]
    pub fn main() {}
}

mod given_arguments {
    #[miniss_linux::main]
    pub async fn main(count: usize, name: &str) {}
}

mod generic {
    #[miniss_linux::main]
    pub async fn main<T>() {}
}

mod other_words {
    #[miniss_linux::main]
    pub async extern "C" fn main() {}
}

mod no_function {
    #[miniss_linux::main]
    pub struct Main;
}

mod a_test_too {
    #[miniss_linux::main]
    #[test]
    pub async fn main() {}
}

mod no_shards {
    #[miniss_linux::main(shards = 0)]
    pub async fn main() {}
}

mod wrong_types {
    #[miniss_linux::main(shards = "two", name = 3, crate = 7, driver = "epoll")]
    pub async fn main() {}
}

mod unknown {
    #[miniss_linux::main(flavor = "current_thread")]
    pub async fn main() {}
}

mod unknown_driver {
    #[miniss_linux::main(driver = kqueue)]
    pub async fn main() {}
}

mod of_tests_only {
    #[miniss_linux::main(driver = all, seeds = 3)]
    pub async fn main() {}
}

mod twice {
    #[miniss_linux::main(shards = 1, shards = 2)]
    pub async fn main() {}
}

mod no_value {
    #[miniss_linux::main(shards)]
    pub async fn main() {}
}

fn main() {}
