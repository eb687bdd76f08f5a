//! The bytes of a fuzzer, read as choices and pieces.

/// Largest number of fields of an exception. Thousands would take seconds, and test nothing else.
pub const MAX_FIELDS: usize = 60;

/// The rest of an input. After its end, every choice is the first one and every piece is empty.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// Returns one of the options. In a seed, `a` is the first one, `b` the second one.
    pub fn choose<T: Copy>(&mut self, options: &[T]) -> T {
        let index = match self.is_empty() {
            true => 0,
            false => self.byte().wrapping_sub(b'a'),
        };
        options[usize::from(index) % options.len()]
    }

    /// Returns a piece, before which a byte has its length.
    pub fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// Returns a piece as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.piece()).into_owned()
    }

    /// Returns a piece, before which two bytes have its length.
    pub fn long_piece(&mut self) -> &'a [u8] {
        let length = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        self.take(length)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (piece, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        piece
    }
}
