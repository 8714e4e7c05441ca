//! The store against its promises: the walk misses nothing, expiry leaves nothing.
use super::*;
use std::collections::HashSet;

fn add(store: &mut Store, key: &str) {
    put(store, key);
}

fn put(store: &mut Store, key: &str) -> Place {
    let found = store.locate(key.as_bytes(), 0);
    store.put_string(found, key.as_bytes(), b"value")
}

fn remove(store: &mut Store, key: &str) {
    if let Ok(place) = store.locate(key.as_bytes(), 0) {
        store.remove(place);
    }
}

/// One step of a walk, which visits `count` entries.
fn step(
    store: &Store,
    at: Cursor,
    mut count: usize,
    mut see: impl FnMut(&[u8], &Value),
) -> Option<Cursor> {
    store.walk(at, 0, |live| {
        live.into_iter().for_each(|(key, value)| see(key, value));
        count -= 1;
        count > 0
    })
}

/// Walks the whole store, `count` entries at a time, doing something between the steps.
fn walk(store: &mut Store, count: usize, mut between: impl FnMut(&mut Store)) -> HashSet<String> {
    let mut seen = HashSet::new();
    let mut cursor = Some(Cursor::default());
    while let Some(at) = cursor {
        cursor = step(store, at, count, |key, _| {
            seen.insert(String::from_utf8(key.to_vec()).unwrap());
        });
        between(store);
    }
    seen
}

#[test]
fn a_walk_sees_every_key_once_when_nothing_changes() {
    for keys in [0, 1, 10, 5000] {
        let mut store = Store::new(0, 1);
        (0..keys).for_each(|number| add(&mut store, &number.to_string()));
        let mut calls = 0;
        let mut shown = 0;
        let mut cursor = Some(Cursor::default());
        while let Some(at) = cursor {
            cursor = step(&store, at, 10, |_, _| shown += 1);
            calls += 1;
        }
        assert_eq!(shown, keys);
        assert!(calls <= keys / 10 + 1);
    }
}

#[test]
fn a_walk_misses_no_key_that_stays_while_others_come_and_go() {
    for count in [1, 3, 10, 100] {
        let mut store = Store::new(0, 1);
        (0..3000).for_each(|number| add(&mut store, &format!("stays:{number}")));
        (0..3000).for_each(|number| add(&mut store, &format!("goes:{number}")));
        let (mut removed, mut added) = (0, 0);
        let seen = walk(&mut store, count, |store| {
            for _ in 0..2 {
                remove(store, &format!("goes:{removed}"));
                removed += 1;
            }
            if added < 2000 {
                put(store, &format!("comes:{added}"));
                added += 1;
            }
        });
        assert!((0..3000).all(|number| seen.contains(&format!("stays:{number}"))));
    }
}

#[test]
fn a_walk_misses_no_key_that_stays_while_the_store_grows_and_shrinks_a_hundredfold() {
    for seed in 1..=4_u64 {
        let mut random = seed;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let mut store = Store::new(0, 1);
        (0..300).for_each(|number| add(&mut store, &format!("stays:{number}")));
        let mut others = Vec::new();
        let mut grows = true;
        let seen = walk(&mut store, 1 + seed as usize, |store| {
            for number in 0..next(100) {
                if grows {
                    let key = format!("other:{}:{number}", next(u64::MAX));
                    put(store, &key);
                    others.push(key);
                } else if !others.is_empty() {
                    remove(store, &others.swap_remove(next(others.len() as u64) as usize));
                }
            }
            grows = if grows { others.len() < 20_000 } else { others.len() < 100 };
        });
        let missed = (0..300).filter(|number| !seen.contains(&format!("stays:{number}")));
        assert_eq!(missed.count(), 0, "seed {seed}");
    }
}

#[test]
fn a_cursor_tells_nothing_of_the_hash() {
    // The same few keys, alone, are spread over the rows of a new store in another way.
    let rows_of = |store: &mut Store, keys: &[String]| -> Vec<u8> {
        keys.iter().map(|key| store.locate(key.as_bytes(), 0).unwrap().row()).collect()
    };
    let keys: Vec<String> = (0..20_000).map(|number| format!("key:{number}")).collect();
    let mut store = Store::new(0, 1);
    keys.iter().for_each(|key| add(&mut store, key));
    let rows = rows_of(&mut store, &keys);
    let chosen = keys.iter().zip(rows).filter(|(_, row)| *row == 3);
    let chosen: Vec<String> = chosen.map(|(key, _)| key.clone()).collect();
    let mut store = Store::new(0, 1);
    chosen.iter().for_each(|key| add(&mut store, key));
    let rows: HashSet<u8> = rows_of(&mut store, &chosen).into_iter().collect();
    assert!(rows.len() > chosen.len() / 2, "{} keys in {} rows", chosen.len(), rows.len());
}

#[test]
fn a_cursor_of_a_larger_past_is_harmless() {
    let mut store = Store::new(0, 1);
    put(&mut store, "a");
    let far = Cursor { row: 255, position: u32::MAX };
    assert_eq!(step(&store, far, 10, |_, _| {}), None);
}

#[test]
fn a_key_past_its_deadline_is_gone_for_all() {
    let mut store = Store::new(0, 1);
    let place = put(&mut store, "a");
    store.set_deadline(place, 100);
    let place = store.locate(b"a", 99).unwrap();
    assert_eq!(store.deadline_ms(place), Some(100));
    assert!(store.locate(b"a", 100).is_ok());
    assert!(store.walk(Cursor::default(), 101, |live| live.is_none()).is_none());
    let walk = store.begin_walk();
    (0..=u8::MAX).for_each(|row| store.visit_row(row, walk, 101, |_| panic!("shown")));
    assert!(store.locate(b"a", 101).is_err());
    assert_eq!((store.len(), store.deadlines(), store.expired), (0, 0, 1));
}

#[test]
fn active_expiry_removes_what_is_due_a_bounded_number_at_a_time() {
    let mut store = Store::new(0, 1);
    for number in 0..1000_u64 {
        let place = put(&mut store, &number.to_string());
        store.set_deadline(place, number + 1);
        // Renewed deadlines leave nothing behind.
        store.set_deadline(place, number);
    }
    put(&mut store, "forever");
    assert_eq!(store.deadlines(), 1000);
    assert_eq!(store.expire_due(500, 300), 300);
    assert_eq!(store.expire_due(500, 300), 200);
    assert_eq!(store.expire_due(500, 300), 0);
    assert_eq!((store.len(), store.deadlines()), (501, 500));
    assert_eq!(store.expire_due(u64::MAX - 1, usize::MAX), 500);
    assert_eq!((store.len(), store.deadlines()), (1, 0));
}

#[test]
fn a_persisted_key_stays() {
    let mut store = Store::new(0, 1);
    let place = put(&mut store, "a");
    assert!(!store.clear_deadline(place));
    store.set_deadline(place, 5);
    assert!(store.clear_deadline(place));
    assert_eq!(store.expire_due(10, 10), 0);
    assert!(store.locate(b"a", 10).is_ok());
}

#[test]
fn a_short_string_does_not_keep_a_long_one_s_memory() {
    let mut store = Store::new(0, 1);
    let absent = store.locate(b"a", 0);
    let place = store.put_string(absent, b"a", &[7; 100_000]);
    store.put_string(Ok(place), b"a", b"short");
    assert!(store.value(place).string_mut().unwrap().capacity() < 1000);
}

#[test]
fn whatever_removes_a_large_value_leaves_it_to_be_freed_by_and_by() {
    let large = vec![7; 4 << 20];
    type Removal = fn(&mut Store, Place);
    let removals: [(&str, Removal); 5] = [
        ("removal", |store, place| store.remove(place)),
        ("overwriting", |store, place| {
            store.put_string(Ok(place), b"a", b"short");
        }),
        ("a look-up after the deadline", |store, place| {
            store.set_deadline(place, 1);
            assert!(store.locate(b"a", 2).is_err());
        }),
        ("expiry", |store, place| {
            store.set_deadline(place, 1);
            assert_eq!(store.expire_due(2, 10), 1);
        }),
        ("flushing", |store, _| store.clear()),
    ];
    for (name, removal) in removals {
        let mut store = Store::new(0, 1);
        let absent = store.locate(b"a", 0);
        let place = store.put_string(absent, b"a", &large);
        assert!(store.garbage().is_empty());
        removal(&mut store, place);
        assert!(!store.garbage().is_empty(), "{name}");
        while store.garbage().step() {}
    }
}

#[test]
fn a_large_value_is_overwritten_in_place_unless_it_is_still_sent() {
    let mut store = Store::new(0, 1);
    let absent = store.locate(b"a", 0);
    let place = store.put_string(absent, b"a", &[7; 100_000]);
    store.put_string(Ok(place), b"a", &[8; 100_000]);
    assert!(store.garbage().is_empty());
    let Value::Large(sent) = store.value(place) else { panic!("not shared") };
    let sent = sent.clone();
    store.put_string(Ok(place), b"a", &[9; 100_000]);
    assert_eq!((sent[0], store.value(place).string().unwrap()[0]), (8, 9));
}
