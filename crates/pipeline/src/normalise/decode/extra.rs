//! What `_extra` will say of the row at hand.

/// Unknown members of the row at hand, as they will stand in `_extra`.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// `{"a.b":1,"c":[]`: an open object.
    pub text: Vec<u8>,
    /// Where in `text` each path is, without quotes, and where its member ends.
    pub members: Vec<(usize, usize, usize)>,
}

impl Extra {
    /// Adds a member; true when the path was there before, whose value goes.
    pub fn put(&mut self, node: &str, key: &[u8], value: &[u8]) -> bool {
        let start = self.text.len();
        self.text.push(if start == 0 { b'{' } else { b',' });
        self.text.push(b'"');
        let path_start = self.text.len();
        if !node.is_empty() {
            self.text.extend_from_slice(node.as_bytes());
            self.text.push(b'.');
        }
        self.text.extend_from_slice(key);
        let path_end = self.text.len();
        self.text.extend_from_slice(b"\":");
        self.text.extend_from_slice(value);
        let twin = self
            .members
            .iter()
            .position(|&(from, to, _)| self.text[from..to] == self.text[path_start..path_end]);
        self.members.push((path_start, path_end, self.text.len()));
        if let Some(twin) = twin {
            self.remove(twin);
        }
        twin.is_some()
    }

    fn remove(&mut self, at: usize) {
        let (from, _, end) = self.members.remove(at);
        let start = from - 2;
        let cut = end - start;
        self.text.drain(start..end);
        for member in &mut self.members[at..] {
            *member = (member.0 - cut, member.1 - cut, member.2 - cut);
        }
        self.text[0] = b'{';
    }

    /// The path put last.
    pub fn last_path(&self) -> &[u8] {
        self.members
            .last()
            .map_or(&[], |&(from, to, _)| &self.text[from..to])
    }

    /// Forgets everything, for the next row.
    pub fn clear(&mut self) {
        self.text.clear();
        self.members.clear();
    }
}
