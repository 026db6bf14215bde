#include "broker/routing/child_map.h"

#include <bit>
#include <memory>

#include "broker/routing/tree_node.h"

namespace nightjar::broker {
namespace {

// A reference is nothing (0), a child, or a branch (lowest bit set).
using Ref = std::uintptr_t;
constexpr Ref kBranchBit = 1;

// Up to 32 references by the next five bits of the hash; only those that are there take room. The bitmap of a
// published branch never changes; a slot may be given another reference, which leads to the same children or
// more.
struct Branch {
  std::uint32_t bitmap;
  std::uint32_t unused = 0;

  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(std::popcount(bitmap)); }
  [[nodiscard]] std::size_t bytes() const { return sizeof(Branch) + count() * sizeof(Ref); }
  std::atomic<Ref>* slots() { return reinterpret_cast<std::atomic<Ref>*>(this + 1); }
  std::atomic<Ref>& slot(std::uint32_t bit) { return slots()[std::popcount(bitmap & (bit - 1))]; }
};
static_assert(sizeof(Branch) == sizeof(Ref) && sizeof(std::atomic<Ref>) == sizeof(Ref));

bool is_branch(Ref ref) { return (ref & kBranchBit) != 0; }
Branch* to_branch(Ref ref) { return reinterpret_cast<Branch*>(ref & ~kBranchBit); }
TreeNode* to_child(Ref ref) { return reinterpret_cast<TreeNode*>(ref); }
Ref ref_to(const Branch* branch) { return reinterpret_cast<Ref>(branch) | kBranchBit; }
Ref ref_to(const TreeNode* child) { return reinterpret_cast<Ref>(child); }

// What selects the slot at some depth: five bits of the hash, then, among texts of equal hash, half a byte of
// the text. Different texts differ somewhere in that sequence, because no level holds U+0000 [MQTT-4.7.3-2].
std::uint32_t bit_at(unsigned depth, std::uint64_t hash, std::string_view text) {
  constexpr unsigned kHashDepths = 64 / 5;
  if (depth < kHashDepths) return 1u << ((hash >> (depth * 5)) & 31);
  const std::size_t half = depth - kHashDepths;
  if (half / 2 >= text.size()) return 1;
  const auto byte = static_cast<unsigned char>(text[half / 2]);
  return 1u << (half % 2 == 0 ? byte & 15 : byte >> 4);
}

Branch* make_branch(std::uint32_t bitmap, Reclaimer& memory) {
  const Branch shape{bitmap};
  auto* branch = std::construct_at(static_cast<Branch*>(memory.allocate(shape.bytes())), shape);
  std::uninitialized_value_construct_n(branch->slots(), branch->count());
  return branch;
}

// A branch of `bitmap` with the references of `from` that both have.
Branch* make_branch_like(Branch& from, std::uint32_t bitmap, Reclaimer& memory) {
  Branch* made = make_branch(bitmap, memory);
  for (std::uint32_t rest = from.bitmap & bitmap; rest != 0; rest &= rest - 1) {
    const std::uint32_t bit = rest & (0 - rest);
    made->slot(bit).store(from.slot(bit).load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  return made;
}

struct Hashed {
  TreeNode* child;
  std::uint64_t hash;
  [[nodiscard]] std::uint32_t bit_at(unsigned depth) const {
    return broker::bit_at(depth, hash, child->text());
  }
};

// Branches from `depth` to where the two part.
Branch* make_fork(unsigned depth, const Hashed& a, const Hashed& b, Reclaimer& memory) {
  unsigned parting = depth;
  while (a.bit_at(parting) == b.bit_at(parting)) ++parting;
  Branch* fork = make_branch(a.bit_at(parting) | b.bit_at(parting), memory);
  fork->slot(a.bit_at(parting)).store(ref_to(a.child), std::memory_order_relaxed);
  fork->slot(b.bit_at(parting)).store(ref_to(b.child), std::memory_order_relaxed);
  while (parting > depth) {
    Branch* above = make_branch(a.bit_at(--parting), memory);
    above->slots()[0].store(ref_to(fork), std::memory_order_relaxed);
    fork = above;
  }
  return fork;
}

}  // namespace

TreeNode* ChildMap::find(std::uint64_t hash, std::string_view text) const {
  Ref ref = root_.load(std::memory_order_acquire);
  for (unsigned depth = 0; is_branch(ref); ++depth) {
    Branch* branch = to_branch(ref);
    const std::uint32_t bit = bit_at(depth, hash, text);
    if ((branch->bitmap & bit) == 0) return nullptr;
    ref = branch->slot(bit).load(std::memory_order_acquire);
  }
  TreeNode* child = to_child(ref);
  return child != nullptr && child->text() == text ? child : nullptr;
}

void ChildMap::insert(std::uint64_t hash, TreeNode& child, const LevelHash& level_hash, Reclaimer& memory) {
  std::atomic<Ref>* place = &root_;
  for (unsigned depth = 0;; ++depth) {
    const Ref ref = place->load(std::memory_order_relaxed);
    if (ref == 0) return place->store(ref_to(&child), std::memory_order_release);
    if (!is_branch(ref)) {
      const Hashed resident{to_child(ref), level_hash(to_child(ref)->text())};
      Branch* fork = make_fork(depth, resident, {&child, hash}, memory);
      return place->store(ref_to(fork), std::memory_order_release);
    }
    Branch* branch = to_branch(ref);
    const std::uint32_t bit = bit_at(depth, hash, child.text());
    if ((branch->bitmap & bit) == 0) {
      Branch* larger = make_branch_like(*branch, branch->bitmap | bit, memory);
      larger->slot(bit).store(ref_to(&child), std::memory_order_relaxed);
      place->store(ref_to(larger), std::memory_order_release);
      return memory.retire(branch, branch->bytes());
    }
    place = &branch->slot(bit);
  }
}

void ChildMap::erase(std::uint64_t hash, const TreeNode& child, Reclaimer& memory) {
  std::atomic<Ref>* place = &root_;   // of the child
  std::atomic<Ref>* holder = &root_;  // of the last branch on the way to it
  std::atomic<Ref>* chain = &root_;   // of the first branch that leads to nothing but the last one
  Branch* last = nullptr;
  std::uint32_t bit = 0;
  for (unsigned depth = 0; is_branch(place->load(std::memory_order_relaxed)); ++depth) {
    holder = place;
    if (last != nullptr && last->count() > 1) chain = place;
    last = to_branch(place->load(std::memory_order_relaxed));
    bit = bit_at(depth, hash, child.text());
    place = &last->slot(bit);
  }
  if (last == nullptr) return root_.store(0, std::memory_order_release);

  const std::uint32_t remaining = last->bitmap & ~bit;
  const Ref neighbour =
      std::has_single_bit(remaining) ? last->slot(remaining).load(std::memory_order_relaxed) : 0;
  if (neighbour == 0 || is_branch(neighbour)) {
    holder->store(ref_to(make_branch_like(*last, remaining, memory)), std::memory_order_release);
    return memory.retire(last, last->bytes());
  }
  // One child remains and needs no branch, nor do the single-slot branches above.
  Ref unlinked = chain->load(std::memory_order_relaxed);
  chain->store(neighbour, std::memory_order_release);
  for (Branch* branch = nullptr; branch != last;) {
    branch = to_branch(unlinked);
    unlinked = branch->slots()[0].load(std::memory_order_relaxed);
    memory.retire(branch, branch->bytes());
  }
}

void ChildMap::dismantle(std::vector<TreeNode*>& children, Reclaimer& memory) {
  std::vector<Ref> rest{root_.exchange(0, std::memory_order_relaxed)};
  while (!rest.empty()) {
    const Ref ref = rest.back();
    rest.pop_back();
    if (!is_branch(ref)) {
      if (ref != 0) children.push_back(to_child(ref));
      continue;
    }
    Branch* branch = to_branch(ref);
    for (std::size_t i = 0; i < branch->count(); ++i) {
      rest.push_back(branch->slots()[i].load(std::memory_order_relaxed));
    }
    memory.free(branch, branch->bytes());
  }
}

}  // namespace nightjar::broker
