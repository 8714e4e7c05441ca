//! Where a machine prints, and a panic.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use crate::machine;

/// Where [`println!`](crate::println) prints.
#[derive(Debug)]
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(machine::print);
        Ok(())
    }
}

/// Prints a line.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => {{
        // The console never fails.
        let _ = ::core::fmt::Write::write_fmt(
            &mut $crate::Console,
            ::core::format_args!("{}\n", ::core::format_args!($($text)*)),
        );
    }};
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    machine::end(crate::FAILED)
}
