//! The walk through the tree, on shard 0, and the jobs that it gives to all shards.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use miniss_linux::fs::{self, File, FileType};
use miniss_linux::sharded::ShardedRef;
use miniss_linux::signal::GracefulShutdown;
use miniss_linux::sync::Semaphore;
use miniss_linux::time::{Instant, sleep};
use miniss_linux::{CallError, ShardId, spawn};

use crate::copy::{Manner, copy_file, copy_link, permissions_of};
use crate::crew::{Counts, Worker};
use crate::failure::{Cut, Failure, OrFailure};
use crate::hash::hash;
use crate::options::Command;
use crate::screen::Screen;

/// Files that each shard has in work at a time. Each has two descriptors and a MiB at most.
pub const PER_SHARD: usize = 16;

/// The work on all that was named on the command line.
pub struct Tree {
    crew: ShardedRef<Worker>,
    screen: Screen,
    shutdown: GracefulShutdown,
    /// A unit for each job that may be begun.
    free: Rc<Semaphore>,
    /// How many jobs each shard has.
    busy: RefCell<Vec<(ShardId, usize)>>,
    failures: Cell<u64>,
    /// It ends because of a failure.
    gave_up: Cell<bool>,
}

/// One file or link, and what is to be done with it.
#[derive(Debug)]
enum Job {
    CopyFile { from: PathBuf, to: PathBuf, manner: Manner },
    CopyLink { from: PathBuf, to: PathBuf, manner: Manner },
    Hash { from: PathBuf, direct: bool },
}

/// What is to be done with something, whatever it is.
#[derive(Debug)]
enum Aim {
    Copy { to: PathBuf, manner: Manner },
    Hash { direct: bool },
}

/// A folder that is not done. What is in it holds it.
struct Folder {
    from: PathBuf,
    aim: Aim,
    parent: Option<Rc<Folder>>,
}

impl Tree {
    /// Nothing is done yet.
    pub fn new(crew: ShardedRef<Worker>, screen: Screen, shutdown: GracefulShutdown) -> Rc<Self> {
        let busy: Vec<_> = ShardId::all().map(|shard| (shard, 0)).collect();
        let free = Rc::new(Semaphore::new(busy.len() * PER_SHARD));
        Rc::new(Self {
            crew,
            screen,
            shutdown,
            free,
            busy: RefCell::new(busy),
            failures: Cell::new(0),
            gave_up: Cell::new(false),
        })
    }

    /// Does what is asked for, to its end or until the program is asked to end.
    pub async fn process(self: Rc<Self>, command: Command) -> ExitCode {
        let began = Instant::now();
        let parent = command.parent_to_sync();
        let progress = spawn(self.clone().show_progress());
        let walked = self.crew.local().until_asked(self.walk_all(command)).await;
        if let Err(Cut::Failed(failure)) = walked {
            self.fail(failure).await;
        }
        // No one closes it, and this many units are there when all jobs have ended.
        let all = self.busy.borrow().len() * PER_SHARD;
        let _all = self.free.acquire(all).await;
        if self.failures.get() == 0
            && let Some(parent) = parent
            && let Err(failure) = sync_folder(&parent).await
        {
            self.fail(failure).await;
        }
        progress.abort();
        self.report(began).await
    }

    async fn walk_all(self: &Rc<Self>, command: Command) -> Result<(), Failure> {
        match command {
            Command::Copy { from, to, manner } => {
                check_target(&from, &to, manner).await?;
                self.walk(from, Aim::Copy { to, manner }).await
            }
            Command::Hash { paths, direct } => {
                for path in paths {
                    if let Err(failure) = self.walk(path, Aim::Hash { direct }).await {
                        self.fail(failure).await;
                    }
                }
                Ok(())
            }
        }
    }

    /// Walks through what is at `from`. A link that the user has named is followed, others are not.
    async fn walk(self: &Rc<Self>, from: PathBuf, aim: Aim) -> Result<(), Failure> {
        let kind = fs::metadata(&from).await.or_failure("look at", &from)?.file_type();
        if !kind.is_dir() {
            return self.begin(job(kind, from, aim)?, None).await;
        }
        let mut folders = vec![Rc::new(Folder { from, aim, parent: None })];
        while let Some(folder) = folders.pop() {
            if let Err(failure) = self.list(&folder, &mut folders).await {
                self.fail(failure).await;
            }
            self.release(Some(folder)).await;
        }
        Ok(())
    }

    /// Begins what is in `folder`, and notes the folders in it. So one listing is open at a time.
    async fn list(
        self: &Rc<Self>,
        folder: &Rc<Folder>,
        folders: &mut Vec<Rc<Folder>>,
    ) -> Result<(), Failure> {
        folder.make_copy().await?;
        let mut entries = fs::read_dir(&folder.from).await.or_failure("list", &folder.from)?;
        while let Some(entry) = entries.next_entry().await.or_failure("list", &folder.from)? {
            // Without a kind it was removed since.
            let Some(kind) = entry.file_type() else { continue };
            let (from, parent) = (entry.path(), Some(folder.clone()));
            let aim = folder.aim.at(&entry.file_name());
            if kind.is_dir() {
                folders.push(Rc::new(Folder { from, aim, parent }));
            } else if !(kind.is_symlink() && matches!(aim, Aim::Hash { .. })) {
                match job(kind, from, aim) {
                    Ok(job) => self.begin(job, parent).await?,
                    Err(failure) => self.fail(failure).await,
                }
            }
        }
        Ok(())
    }

    /// Gives a job to the shard that has the fewest, as soon as one may be begun.
    async fn begin(self: &Rc<Self>, job: Job, folder: Option<Rc<Folder>>) -> Result<(), Failure> {
        let unit = self.free.acquire_owned(1).await;
        let shard = self.take_shard();
        let tree = self.clone();
        spawn(async move {
            let _unit = unit;
            let path = job.path().to_owned();
            let perform = async move |worker: &Worker| job.perform(worker).await;
            let outcome = tree.crew.invoke_on(shard, perform).await;
            tree.give_back(shard);
            tree.end(&path, outcome).await;
            tree.release(folder).await;
        })
        .detach();
        Ok(())
    }

    fn take_shard(&self) -> ShardId {
        let mut busy = self.busy.borrow_mut();
        // The last of them: shard 0 has this walk, too.
        let (shard, jobs) =
            busy.iter_mut().rev().min_by_key(|(_, jobs)| *jobs).expect("there is a shard");
        *jobs += 1;
        *shard
    }

    fn give_back(&self, taken: ShardId) {
        let mut busy = self.busy.borrow_mut();
        busy.iter_mut().filter(|(shard, _)| *shard == taken).for_each(|(_, jobs)| *jobs -= 1);
    }

    /// What became of a job.
    async fn end(&self, path: &Path, outcome: Result<Result<Option<String>, Cut>, CallError>) {
        let ended = match outcome {
            Ok(Ok(Some(hash))) => self.screen.print(&hash, path).await.or_failure("say", path),
            Ok(Ok(None) | Err(Cut::Asked)) => Ok(()),
            Ok(Err(Cut::Failed(failure))) => Err(failure),
            Err(error) => Err(Failure::new("work on", path, io::Error::other(error))),
        };
        if let Err(failure) = ended {
            self.fail(failure).await;
        }
    }

    /// Something in `folder` has ended. The last to end finishes it, and then what it is in.
    async fn release(&self, folder: Option<Rc<Folder>>) {
        let mut done = folder.and_then(Rc::into_inner);
        while let Some(folder) = done {
            if let Err(failure) = folder.finish_copy().await {
                self.fail(failure).await;
            }
            done = folder.parent.and_then(Rc::into_inner);
        }
    }

    async fn fail(&self, failure: Failure) {
        self.failures.set(self.failures.get() + 1);
        // Of the jobs that fail with it, the first one tells.
        if failure.is_everywhere() && !self.gave_up.replace(true) {
            self.shutdown.request();
        }
        self.screen.complain(failure).await;
    }

    async fn show_progress(self: Rc<Self>) {
        loop {
            sleep(self.screen.interval()).await;
            self.screen.show(self.counts().await).await;
        }
    }

    /// What all shards have done.
    async fn counts(&self) -> Counts {
        let counts = self.crew.map(Worker::counts).await.unwrap_or_default();
        counts.into_iter().fold(Counts::default(), |sum, counts| sum + counts)
    }

    async fn report(&self, began: Instant) -> ExitCode {
        let failures = self.failures.get();
        let (how, status) = match failures {
            _ if self.shutdown.is_requested() && !self.gave_up.get() => ("; interrupted", 130),
            0 => ("", 0),
            1 => ("; 1 failure", 1),
            _ => (&*format!("; {failures} failures"), 1),
        };
        self.screen.end(self.counts().await, began, how).await;
        ExitCode::from(status)
    }
}

impl Folder {
    async fn make_copy(&self) -> Result<(), Failure> {
        let Aim::Copy { to, manner } = &self.aim else { return Ok(()) };
        match fs::create_dir(to).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && manner.overwrite => {
                match fs::symlink_metadata(to).await {
                    Ok(there) if there.is_dir() => Ok(()),
                    _ => Err(error),
                }
            }
            made => made,
        }
        .or_failure("make the folder", to)
    }

    /// Permissions come last: they may forbid to put something in.
    async fn finish_copy(&self) -> Result<(), Failure> {
        let Aim::Copy { to, manner } = &self.aim else { return Ok(()) };
        let metadata = fs::metadata(&self.from).await.or_failure("look at", &self.from)?;
        let finish = async {
            let folder = File::open(to).await?;
            folder.set_permissions(permissions_of(&metadata)).await?;
            folder.set_modified(metadata.modified()).await?;
            if manner.sync { folder.sync_all().await } else { Ok(()) }
        };
        finish.await.or_failure("finish the folder", to)
    }
}

impl Aim {
    /// That of what is called `name` in the folder.
    fn at(&self, name: &OsStr) -> Self {
        match self {
            Self::Copy { to, manner } => Self::Copy { to: to.join(name), manner: *manner },
            Self::Hash { direct } => Self::Hash { direct: *direct },
        }
    }
}

impl Job {
    fn path(&self) -> &Path {
        match self {
            Self::CopyFile { from, .. } | Self::CopyLink { from, .. } | Self::Hash { from, .. } => {
                from
            }
        }
    }

    /// Does it, on this shard.
    async fn perform(self, worker: &Worker) -> Result<Option<String>, Cut> {
        match self {
            Self::CopyFile { from, to, manner } => {
                copy_file(worker, &from, &to, manner).await.map(|()| None)
            }
            Self::CopyLink { from, to, manner } => {
                copy_link(worker, &from, &to, manner).await.map(|()| None)
            }
            Self::Hash { from, direct } => hash(worker, &from, direct).await.map(Some),
        }
    }
}

/// What is to be done with a file of this kind.
fn job(kind: FileType, from: PathBuf, aim: Aim) -> Result<Job, Failure> {
    match aim {
        Aim::Copy { to, manner } if kind.is_file() => Ok(Job::CopyFile { from, to, manner }),
        Aim::Copy { to, manner } if kind.is_symlink() => Ok(Job::CopyLink { from, to, manner }),
        Aim::Hash { direct } if kind.is_file() => Ok(Job::Hash { from, direct }),
        _ => {
            let what = io::Error::other("it is no file, no folder and no link");
            Err(Failure::new("work on", &from, what))
        }
    }
}

impl Command {
    /// The folder in which a copy has its name, if that name is to outlive a loss of power.
    fn parent_to_sync(&self) -> Option<PathBuf> {
        match self {
            Self::Copy { to, manner, .. } if manner.sync => Some(parent_of(to).to_owned()),
            _ => None,
        }
    }
}

async fn sync_folder(path: &Path) -> Result<(), Failure> {
    let sync = async { File::open(path).await?.sync_all().await };
    sync.await.or_failure("sync", path)
}

fn parent_of(path: &Path) -> &Path {
    let named = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

/// Before anything is copied: the copy may not be there, or in what is copied.
async fn check_target(from: &Path, to: &Path, manner: Manner) -> Result<(), Failure> {
    let refusal = |why| Err(Failure::new("make the copy", to, io::Error::other(why)));
    let source = fs::canonicalize(from).await.or_failure("look at", from)?;
    let Some(name) = to.file_name() else { return refusal("the path ends without a name") };
    let parent = parent_of(to);
    let parent = fs::canonicalize(parent).await.or_failure("look at", parent)?;
    if parent.join(name).starts_with(source) {
        return refusal("it would be in what is copied");
    }
    if !manner.overwrite && fs::symlink_metadata(to).await.is_ok() {
        return refusal("it is there already; --overwrite replaces it");
    }
    Ok(())
}
