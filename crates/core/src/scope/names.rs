//! The node of a name, in one look: buckets of a hash, each in the order of names.

/// Names by node and nodes by name. All names lie side by side, as a topology's documents do not: what
/// is asked of neighbours reads one piece of memory.
#[derive(Debug)]
pub(super) struct Names {
    text: String,
    /// Where each node's name ends in `text`.
    ends: Vec<u32>,
    /// Where each bucket begins in `nodes`; one more than there are buckets, a power of two.
    starts: Vec<u32>,
    nodes: Vec<u32>,
}

impl Names {
    /// Indexes the names of the nodes from 0 on. Where one repeats, all its nodes are kept, the last one first.
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for name in names {
            text.push_str(name);
            // INVARIANT: documents are bounded far below 2^32 bytes.
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        text.shrink_to_fit();
        ends.shrink_to_fit();
        let mut names = Self {
            text,
            ends,
            starts: Vec::new(),
            nodes: Vec::new(),
        };
        let number = u32::try_from(names.ends.len()).unwrap_or(u32::MAX);
        let buckets = (number as usize).next_power_of_two();
        let mut starts = vec![0_u32; buckets + 1];
        let bucket_of: Vec<u32> = (0..number)
            .map(|node| bucket(names.name(node), buckets))
            .collect();
        for bucket in &bucket_of {
            if let Some(start) = starts.get_mut(*bucket as usize + 1) {
                *start += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut nodes = vec![0; number as usize];
        for (node, bucket) in (0..number).zip(&bucket_of) {
            if let Some(place) = next.get_mut(*bucket as usize) {
                if let Some(slot) = nodes.get_mut(*place as usize) {
                    *slot = node;
                }
                *place += 1;
            }
        }
        // A topology made so that names collide costs a logarithm, not a walk.
        for ends in starts.windows(2) {
            if let [from, to] = ends
                && let Some(bucket) = nodes.get_mut(*from as usize..*to as usize)
                && bucket.len() > 1
            {
                bucket.sort_by(|a, b| names.name(*a).cmp(names.name(*b)).then(b.cmp(a)));
            }
        }
        names.starts = starts;
        names.nodes = nodes;
        names
    }

    /// The name of a node; nothing where there is no such node.
    pub(super) fn name(&self, node: u32) -> &str {
        let node = node as usize;
        let from = match node.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        self.ends
            .get(node)
            .and_then(|to| self.text.get(from as usize..*to as usize))
            .unwrap_or_default()
    }

    /// How many nodes there are.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The node called `wanted`.
    pub(super) fn find(&self, wanted: &str) -> Option<u32> {
        let bucket = bucket(wanted, self.starts.len() - 1) as usize;
        let (from, to) = (self.starts.get(bucket)?, self.starts.get(bucket + 1)?);
        let nodes = self.nodes.get(*from as usize..*to as usize)?;
        let place = nodes.partition_point(|node| self.name(*node) < wanted);
        nodes
            .get(place)
            .copied()
            .filter(|node| self.name(*node) == wanted)
    }
}

/// FNV-1a, folded; `buckets` is a power of two.
fn bucket(name: &str, buckets: usize) -> u32 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let folded = hash ^ (hash >> 32);
    // INVARIANT: documents are bounded far below 2^32 systems.
    u32::try_from(folded & (buckets as u64 - 1)).unwrap_or(0)
}
