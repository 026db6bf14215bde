#include "base/log.h"

#include <atomic>

namespace nightjar::log {
namespace {

std::atomic<Sink> g_sink{nullptr};
std::atomic<Level> g_level{Level::kInfo};

}  // namespace

void set_sink(Sink sink) { g_sink.store(sink, std::memory_order_release); }
void set_level(Level level) { g_level.store(level, std::memory_order_relaxed); }

bool enabled(Level level) {
  return g_sink.load(std::memory_order_relaxed) != nullptr &&
         level >= g_level.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  const Sink sink = g_sink.load(std::memory_order_acquire);
  if (sink == nullptr || level < g_level.load(std::memory_order_relaxed)) return;
  sink(level, message, {fields.begin(), fields.size()});
}

}  // namespace nightjar::log
