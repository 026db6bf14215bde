#include "broker/routing/subscription_tree.h"

#include <algorithm>
#include <array>

#include "base/keyed_hash.h"
#include "base/short_lock.h"
#include "broker/routing/reclaimer.h"
#include "broker/routing/tree_node.h"
#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

// Freed per change of the tree and per turn of a worker: more than either retires, so that a backlog shrinks,
// and little enough not to be felt.
constexpr std::size_t kBlocksFreedPerChange = 64;
constexpr std::size_t kBlocksFreedPerTurn = 512;
// A writer looks at the workers' epochs only when it's worth the cache lines.
constexpr std::size_t kBlocksWorthCollecting = 64;

// A node's own filter, or the one with "#" behind it.
struct FilterPlace {
  std::atomic<WorkerSet>& workers;
  std::atomic<std::uint32_t>& filter;
};

// The nodes that match the topic's levels so far. Few in all but strange trees, so the first ones need no
// heap.
class Frontier {
 public:
  void push(const TreeNode* node) {
    if (size_ < first_.size()) {
      first_[size_] = node;
    } else {
      more_.push_back(node);
    }
    ++size_;
  }
  void clear() {
    size_ = 0;
    more_.clear();
  }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < std::min(size_, first_.size()); ++i) visit(*first_[i]);
    for (const TreeNode* node : more_) visit(*node);
  }

 private:
  std::array<const TreeNode*, 32> first_;
  std::vector<const TreeNode*> more_;
  std::size_t size_ = 0;
};

void report(const std::atomic<WorkerSet>& workers, const std::atomic<std::uint32_t>& filter,
            std::vector<Match>& out) {
  // In this order: an id is stored before the first worker joins.
  const WorkerSet set = workers.load(std::memory_order_acquire);
  if (set != 0) out.push_back({FilterId{filter.load(std::memory_order_relaxed)}, set});
}

}  // namespace

struct SubscriptionTree::Rooms {
  explicit Rooms(std::uint16_t workers)
      // Nobody outside can know an address of this process, and what is matched doesn't depend on it.
      : level_hash{&keyed_hash, reinterpret_cast<std::uintptr_t>(this)}, memory(workers) {}
  ~Rooms();

  // What readers need and nobody changes.
  const LevelHash level_hash;
  TreeNode root;

  // Under the lock.
  alignas(128) ShortLock lock;
  Reclaimer memory;
  std::vector<TreeNode*> path;  // from the root to where a filter ends; scratch of add and remove
  std::vector<std::uint32_t> free_ids;
  std::uint32_t ids_used = 0;
  std::atomic<std::size_t> filters{0};

  TreeNode* find_child(const TreeNode& node, std::string_view level) const;
  TreeNode* find_or_make_child(TreeNode& node, std::string_view level);
  FilterPlace make_path(std::string_view filter);
  bool find_path(std::string_view filter);
  FilterPlace end_of_path(std::string_view filter);
  std::uint32_t take_id();
  void prune_path();
  void collect_after_change();
  void collect_after_turn();
};

SubscriptionTree::Rooms::~Rooms() {
  // Filters may have thousands of levels: no recursion.
  std::vector<TreeNode*> rest;
  const auto take_children = [&](TreeNode& node) {
    node.children.dismantle(rest, memory);
    if (TreeNode* plus = node.plus.load(std::memory_order_relaxed)) rest.push_back(plus);
  };
  take_children(root);
  while (!rest.empty()) {
    TreeNode* node = rest.back();
    rest.pop_back();
    take_children(*node);
    memory.free(node, node->bytes());
  }
}

TreeNode* SubscriptionTree::Rooms::find_child(const TreeNode& node, std::string_view level) const {
  if (level == "+") return node.plus.load(std::memory_order_relaxed);
  return node.children.find(level_hash(level), level);
}

TreeNode* SubscriptionTree::Rooms::find_or_make_child(TreeNode& node, std::string_view level) {
  if (TreeNode* found = find_child(node, level)) return found;
  TreeNode* made = TreeNode::make(level, memory);
  if (level == "+") {
    node.plus.store(made, std::memory_order_release);
  } else {
    node.children.insert(level_hash(level), *made, level_hash, memory);
  }
  return made;
}

FilterPlace SubscriptionTree::Rooms::make_path(std::string_view filter) {
  path.assign(1, &root);
  mqtt::Levels levels(filter);
  for (std::string_view level; levels.next(level) && level != "#";) {
    path.push_back(find_or_make_child(*path.back(), level));
  }
  return end_of_path(filter);
}

bool SubscriptionTree::Rooms::find_path(std::string_view filter) {
  path.assign(1, &root);
  mqtt::Levels levels(filter);
  for (std::string_view level; levels.next(level) && level != "#";) {
    TreeNode* child = find_child(*path.back(), level);
    if (child == nullptr) return false;
    path.push_back(child);
  }
  return true;
}

FilterPlace SubscriptionTree::Rooms::end_of_path(std::string_view filter) {
  TreeNode& end = *path.back();
  if (filter.back() == '#') return {end.below_workers, end.below_filter};
  return {end.workers, end.filter};
}

std::uint32_t SubscriptionTree::Rooms::take_id() {
  if (free_ids.empty()) return ++ids_used;
  const std::uint32_t id = free_ids.back();
  free_ids.pop_back();
  return id;
}

// Unlinks the nodes at the end of the path that serve no filter any more.
void SubscriptionTree::Rooms::prune_path() {
  while (path.size() > 1 && !path.back()->is_needed()) {
    TreeNode* node = path.back();
    path.pop_back();
    TreeNode& parent = *path.back();
    if (parent.plus.load(std::memory_order_relaxed) == node) {
      parent.plus.store(nullptr, std::memory_order_release);
    } else {
      parent.children.erase(level_hash(node->text()), *node, memory);
    }
    memory.retire(node, node->bytes());
  }
}

void SubscriptionTree::Rooms::collect_after_change() {
  if (memory.retired_blocks() >= kBlocksWorthCollecting) memory.collect(kBlocksFreedPerChange);
}

void SubscriptionTree::Rooms::collect_after_turn() {
  if (!memory.has_collectable() || !lock.try_lock()) return;
  memory.collect(kBlocksFreedPerTurn);
  lock.unlock();
}

SubscriptionTree::SubscriptionTree(std::uint16_t workers) : rooms_(std::make_unique<Rooms>(workers)) {}
SubscriptionTree::~SubscriptionTree() = default;

FilterId SubscriptionTree::add(std::string_view filter, WorkerIndex worker) {
  const ShortLockGuard guard(rooms_->lock);
  const FilterPlace place = rooms_->make_path(filter);
  const WorkerSet before = place.workers.load(std::memory_order_relaxed);
  if (before == 0) {
    place.filter.store(rooms_->take_id(), std::memory_order_relaxed);
    rooms_->filters.fetch_add(1, std::memory_order_relaxed);
  }
  place.workers.store(before | bit(worker), std::memory_order_release);
  rooms_->collect_after_change();
  return {place.filter.load(std::memory_order_relaxed)};
}

void SubscriptionTree::remove(std::string_view filter, WorkerIndex worker) {
  const ShortLockGuard guard(rooms_->lock);
  if (!rooms_->find_path(filter)) return;
  const FilterPlace place = rooms_->end_of_path(filter);
  const WorkerSet before = place.workers.load(std::memory_order_relaxed);
  const WorkerSet after = before & ~bit(worker);
  if (after == before) return;
  place.workers.store(after, std::memory_order_release);
  if (after != 0) return;
  // Before the id serves another filter: whoever remembers it for this one works its matches out again.
  note_change(filter);
  rooms_->free_ids.push_back(place.filter.load(std::memory_order_relaxed));
  rooms_->filters.fetch_sub(1, std::memory_order_relaxed);
  rooms_->prune_path();
  rooms_->collect_after_change();
}

void SubscriptionTree::match(std::string_view topic, std::vector<Match>& out) const {
  Frontier frontiers[2];
  Frontier* here = &frontiers[0];
  Frontier* next = &frontiers[1];
  here->push(&rooms_->root);
  bool wildcards = topic.front() != '$';  // a leading wildcard does not match it [MQTT-4.7.2-1]
  mqtt::Levels levels(topic);
  for (std::string_view level; !here->empty() && levels.next(level);) {
    const std::uint64_t hash = rooms_->level_hash(level);
    next->clear();
    here->for_each([&](const TreeNode& node) {
      if (wildcards) {
        report(node.below_workers, node.below_filter, out);
        if (const TreeNode* plus = node.plus.load(std::memory_order_acquire)) next->push(plus);
      }
      if (const TreeNode* child = node.children.find(hash, level)) next->push(child);
    });
    wildcards = true;
    std::swap(here, next);
  }
  here->for_each([&](const TreeNode& node) {
    report(node.workers, node.filter, out);
    report(node.below_workers, node.below_filter, out);  // "a/#" matches "a" as well [MQTT-4.7.1-2]
  });
}

void SubscriptionTree::quiescent(WorkerIndex worker) {
  rooms_->memory.quiescent(worker);
  rooms_->collect_after_turn();
}

void SubscriptionTree::offline(WorkerIndex worker) {
  rooms_->memory.offline(worker);
  rooms_->collect_after_turn();
}

void SubscriptionTree::online(WorkerIndex worker) { rooms_->memory.online(worker); }

std::size_t SubscriptionTree::filter_count() const { return rooms_->filters.load(std::memory_order_relaxed); }
std::size_t SubscriptionTree::memory_bytes() const { return rooms_->memory.bytes(); }

}  // namespace nightjar::broker
