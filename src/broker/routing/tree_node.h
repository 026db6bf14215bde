// One level of the subscription tree, reached by the levels of a filter before it. One allocation: the header
// and, behind it, the text of the level. A node is made and changed by the one writer; readers look at any
// time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "broker/ids.h"
#include "broker/routing/child_map.h"
#include "broker/routing/reclaimer.h"

namespace nightjar::broker {

struct TreeNode {
  static TreeNode* make(std::string_view text, Reclaimer& memory) {
    auto* node = std::construct_at(static_cast<TreeNode*>(memory.allocate(bytes_for(text.size()))));
    node->text_size = static_cast<std::uint16_t>(text.size());  // a level is part of a 65 535 byte string
    if (!text.empty()) std::memcpy(reinterpret_cast<char*>(node) + text_offset(), text.data(), text.size());
    return node;
  }
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(this) + text_offset(), text_size};
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_for(text_size); }
  // False if the node leads nowhere and no filter ends here.
  [[nodiscard]] bool is_needed() const {
    return workers.load(std::memory_order_relaxed) != 0 ||
           below_workers.load(std::memory_order_relaxed) != 0 ||
           plus.load(std::memory_order_relaxed) != nullptr || !children.empty();
  }

  // The filter that ends here, and the one that ends here with "#". An empty set: there is none. The ids
  // count only after a set was read that isn't empty.
  std::atomic<WorkerSet> workers{0};
  std::atomic<WorkerSet> below_workers{0};
  ChildMap children;                     // levels that are not wildcards
  std::atomic<TreeNode*> plus{nullptr};  // the level "+"
  std::atomic<std::uint32_t> filter{0};
  std::atomic<std::uint32_t> below_filter{0};
  std::uint16_t text_size = 0;

 private:
  // The text begins in what would be padding.
  static constexpr std::size_t text_offset() { return 4 * 8 + 2 * 4 + 2; }
  static constexpr std::size_t bytes_for(std::size_t text_size) {
    return text_size + text_offset() < sizeof(TreeNode) ? sizeof(TreeNode) : text_size + text_offset();
  }
};
static_assert(sizeof(TreeNode) == 48);

}  // namespace nightjar::broker
