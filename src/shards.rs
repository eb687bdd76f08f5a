//! A shared value with a reference count for each thread.

use std::{ops::Deref, sync::Arc};

/// Number of reference counts. Threads beyond it share them.
const COUNT: usize = 16;

/// Value that requests share.
///
/// Threads that write to one reference count wait for each other: its cache line is with one of
/// them at a time. So each thread has a count of its own.
pub(crate) struct Shards<T>([Arc<Shard<T>>; COUNT]);

/// One of the reference counts of a shared value, on cache lines of its own: two, because
/// processors fetch them in pairs.
#[repr(align(128))]
pub(crate) struct Shard<T>(Arc<T>);

impl<T> Shards<T> {
    fn new(value: T) -> Self {
        let value = Arc::new(value);
        Self([(); COUNT].map(|()| Arc::new(Shard(Arc::clone(&value)))))
    }

    /// Returns the reference count of the thread with this number.
    #[inline]
    pub(crate) fn of_thread(&self, number: usize) -> &Arc<Shard<T>> {
        &self.0[number % COUNT]
    }

    /// Changes the value for later requests.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        let mut value = T::clone(self);
        change(&mut value);
        *self = Self::new(value);
    }
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Clone for Shards<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Shards<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0[0]
    }
}

impl<T> Deref for Shard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn threads_have_counts_of_their_own_and_one_value() {
        let mut shards = Shards::<Vec<u8>>::default();
        shards.change(|value| value.push(1));
        for number in 1..2 * COUNT {
            let shard = shards.of_thread(number);
            assert!(ptr::eq(&***shard, &*shards));
            assert_eq!(Arc::ptr_eq(shard, shards.of_thread(0)), number % COUNT == 0);
        }
        assert_eq!(*shards, [1]);
    }

    #[test]
    fn a_change_leaves_a_request_what_it_began_with() {
        let mut shards = Shards::<Vec<u8>>::default();
        let began = Arc::clone(shards.of_thread(3));
        shards.change(|value| value.push(1));
        assert!(began.is_empty());
        assert_eq!(***shards.of_thread(3), [1]);
    }
}
