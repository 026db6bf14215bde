// What the fuzz targets share: the choices at the front of an input, and a check that ends the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/types.h"

namespace nightjar::fuzz {

// Unlike assert, also there in optimized builds.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// One fuzz input: single bytes decide how the target runs, the rest is what it runs on.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const std::byte*>(data), size) {}

  // The next choice of `count`; 0 once the input is used up.
  unsigned choice(unsigned count) {
    if (rest_.empty()) return 0;
    const auto byte = std::to_integer<unsigned>(rest_[0]);
    rest_ = rest_.subspan(1);
    return byte % count;
  }
  mqtt::Version version() { return static_cast<mqtt::Version>(3 + choice(3)); }
  mqtt::Sender sender() { return choice(2) == 0 ? mqtt::Sender::kClient : mqtt::Sender::kServer; }
  [[nodiscard]] ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
};

}  // namespace nightjar::fuzz
