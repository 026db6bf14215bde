// Strong types for the numbers that name things, so that a shard can't be passed for a worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace nightjar {

template <typename Tag, typename Number>
struct Id {
  Number value{};
  friend constexpr bool operator==(Id, Id) = default;
  friend constexpr auto operator<=>(Id, Id) = default;
};

template <typename Tag, typename Number>
std::size_t hash_value(Id<Tag, Number> id) {
  return std::hash<Number>{}(id.value);
}

}  // namespace nightjar

template <typename Tag, typename Number>
struct std::hash<nightjar::Id<Tag, Number>> {
  std::size_t operator()(nightjar::Id<Tag, Number> id) const noexcept {
    return std::hash<Number>{}(id.value);
  }
};
