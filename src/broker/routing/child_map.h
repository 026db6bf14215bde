// The children of a tree node by the text of their level: a hash trie whose branches are replaced, not
// changed, so that readers take no lock, an insertion costs little even among a million children, and a node
// with one child needs no table at all.
//
// Threads: find may be called at any time by any worker that Reclaimer protects; the rest is for the one
// writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "broker/routing/reclaimer.h"

namespace nightjar::broker {

struct TreeNode;

// How the texts of levels are hashed: with a key, because subscribers choose them.
struct LevelHash {
  std::uint64_t (*function)(std::string_view text, std::uint64_t key);
  std::uint64_t key;
  std::uint64_t operator()(std::string_view text) const { return function(text, key); }
};

class ChildMap {
 public:
  // `hash` is that of `text`, here and below.
  [[nodiscard]] TreeNode* find(std::uint64_t hash, std::string_view text) const;
  [[nodiscard]] bool empty() const { return root_.load(std::memory_order_relaxed) == 0; }

  // No child has the same text yet.
  void insert(std::uint64_t hash, TreeNode& child, const LevelHash& level_hash, Reclaimer& memory);
  // Unlinks the child, which must be here; the caller retires it.
  void erase(std::uint64_t hash, const TreeNode& child, Reclaimer& memory);
  // Frees the branches and hands over the children; no reader is left.
  void dismantle(std::vector<TreeNode*>& children, Reclaimer& memory);

 private:
  std::atomic<std::uintptr_t> root_{0};
};

}  // namespace nightjar::broker
