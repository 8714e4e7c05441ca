//! What the system knows of a file.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::time::{Duration, SystemTime};

/// What the system knows of a file: as `std::fs::Metadata`, and what its `MetadataExt` adds.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs;
///
/// let path = folder.join("greeting");
/// fs::write(&path, "hello").await.0?;
/// let metadata = fs::metadata(&path).await?;
/// assert!(metadata.is_file() && metadata.len() == 5);
/// assert!(metadata.modified() >= metadata.created()?);
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct Metadata(libc::statx);

impl Metadata {
    pub(super) fn new(status: libc::statx) -> Self {
        Self(status)
    }

    /// What kind of file it is.
    pub fn file_type(&self) -> FileType {
        FileType(u32::from(self.0.stx_mode) & libc::S_IFMT)
    }

    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// Whether it is a symbolic link, which only
    /// [`symlink_metadata`](super::symlink_metadata) tells.
    pub fn is_symlink(&self) -> bool {
        self.file_type().is_symlink()
    }

    /// Its length, in bytes.
    #[allow(clippy::len_without_is_empty, reason = "as in the standard library")]
    pub fn len(&self) -> u64 {
        self.0.stx_size
    }

    /// Who may do what with it.
    pub fn permissions(&self) -> Permissions {
        Permissions::from_mode(self.mode())
    }

    /// When its contents were last changed.
    pub fn modified(&self) -> SystemTime {
        time_of(self.0.stx_mtime)
    }

    /// When it was last read; file systems are not exact about that.
    pub fn accessed(&self) -> SystemTime {
        time_of(self.0.stx_atime)
    }

    /// When it was made.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the file system does not know.
    pub fn created(&self) -> io::Result<SystemTime> {
        if self.0.stx_mask & libc::STATX_BTIME == 0 {
            let what = "the file system does not know when the file was made";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        Ok(time_of(self.0.stx_btime))
    }

    /// The kind of file and its permissions, as the system has them.
    pub fn mode(&self) -> u32 {
        self.0.stx_mode.into()
    }

    /// The user who owns it.
    pub fn uid(&self) -> u32 {
        self.0.stx_uid
    }

    /// The group that owns it.
    pub fn gid(&self) -> u32 {
        self.0.stx_gid
    }

    /// The number of its names (hard links).
    pub fn nlink(&self) -> u64 {
        self.0.stx_nlink.into()
    }

    /// Its number on its device.
    pub fn ino(&self) -> u64 {
        self.0.stx_ino
    }

    /// The device that it is on.
    pub fn dev(&self) -> u64 {
        libc::makedev(self.0.stx_dev_major, self.0.stx_dev_minor)
    }

    /// The blocks of 512 bytes that it takes: fewer than its length if it has holes.
    pub fn blocks(&self) -> u64 {
        self.0.stx_blocks
    }

    /// What the memory and the offsets of direct reads and writes are multiples of, 0 if there are
    /// none; `None` if the system does not tell.
    pub(super) fn direct_alignment(&self) -> Option<(usize, usize)> {
        let is_told = self.0.stx_mask & libc::STATX_DIOALIGN != 0;
        let align = (self.0.stx_dio_mem_align as usize, self.0.stx_dio_offset_align as usize);
        is_told.then_some(align)
    }
}

fn time_of(stamp: libc::statx_timestamp) -> SystemTime {
    let seconds = Duration::from_secs(stamp.tv_sec.unsigned_abs());
    let whole = if stamp.tv_sec >= 0 {
        SystemTime::UNIX_EPOCH + seconds
    } else {
        SystemTime::UNIX_EPOCH - seconds
    };
    whole + Duration::from_nanos(stamp.tv_nsec.into())
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("file_type", &self.file_type())
            .field("len", &self.len())
            .field("permissions", &self.permissions())
            .field("modified", &self.modified())
            .finish_non_exhaustive()
    }
}

/// The kind of a file.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// assert!(miniss_linux::fs::metadata(&folder).await?.file_type().is_dir());
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileType(u32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        impl FileType {$(
            $(#[$doc])*
            pub fn $name(&self) -> bool {
                self.0 == libc::$kind
            }
        )*}
    };
}

kinds! {
    /// A folder.
    is_dir: S_IFDIR,
    /// A regular file.
    is_file: S_IFREG,
    /// A symbolic link.
    is_symlink: S_IFLNK,
    /// A block device.
    is_block_device: S_IFBLK,
    /// A character device.
    is_char_device: S_IFCHR,
    /// A named pipe.
    is_fifo: S_IFIFO,
    /// A Unix socket.
    is_socket: S_IFSOCK,
}

impl From<std::fs::FileType> for FileType {
    fn from(kind: std::fs::FileType) -> Self {
        Self(match kind {
            _ if kind.is_dir() => libc::S_IFDIR,
            _ if kind.is_file() => libc::S_IFREG,
            _ if kind.is_symlink() => libc::S_IFLNK,
            _ if kind.is_block_device() => libc::S_IFBLK,
            _ if kind.is_char_device() => libc::S_IFCHR,
            _ if kind.is_fifo() => libc::S_IFIFO,
            _ if kind.is_socket() => libc::S_IFSOCK,
            _ => 0,
        })
    }
}
