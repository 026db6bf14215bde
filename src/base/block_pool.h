// Small blocks of memory that are made and freed at the rate of messages: freed ones of a size wait in a list
// for the next of that size. Each thread has its own pool; a block may be freed on another thread than made
// it.
#pragma once

#include <array>
#include <cstddef>
#include <new>
#include <vector>

namespace nightjar {

class BlockPool {
 public:
  // The pool of the calling thread.
  static BlockPool& local() {
    thread_local BlockPool pool;
    return pool;
  }
  BlockPool() = default;
  ~BlockPool() { trim(); }
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  [[nodiscard]] void* allocate(std::size_t bytes) {
    const std::size_t size_class = class_of(bytes);
    if (size_class >= kClasses) return ::operator new(bytes);
    std::vector<void*>& free = free_[size_class];
    if (free.empty()) return ::operator new((size_class + 1) * kClassBytes);
    void* const block = free.back();
    free.pop_back();
    return block;
  }
  // `bytes` is what allocate was asked for.
  void free(void* block, std::size_t bytes) {
    const std::size_t size_class = class_of(bytes);
    if (size_class >= kClasses || free_[size_class].size() >= kBlocksMax) return ::operator delete(block);
    free_[size_class].push_back(block);
  }
  // Gives all free blocks back to the heap.
  void trim() {
    for (std::vector<void*>& free : free_) {
      for (void* block : free) ::operator delete(block);
      std::vector<void*>().swap(free);
    }
  }

 private:
  // Blocks up to 1 KiB, in steps of a cache line.
  static constexpr std::size_t kClassBytes = 64;
  static constexpr std::size_t kClasses = 16;
  // Of one class: what a turn of a busy worker frees before it allocates again; at most 8 MiB for all
  // classes.
  static constexpr std::size_t kBlocksMax = 1024;

  static constexpr std::size_t class_of(std::size_t bytes) { return (bytes - 1) / kClassBytes; }

  std::array<std::vector<void*>, kClasses> free_;
};

}  // namespace nightjar
