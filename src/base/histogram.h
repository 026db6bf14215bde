// Counts values in buckets that are at most 0.8 % wide: percentiles of latencies without keeping every one.
// Exact below 128; above, 128 buckets for each doubling. A value, one thread at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace nightjar {

class Histogram {
 public:
  Histogram() : buckets_(kBuckets) {}

  void record(std::uint64_t value, std::uint64_t times = 1) {
    buckets_[index_of(value)] += times;
    count_ += times;
    sum_ += value * times;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  void add(const Histogram& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
  }

  void clear() {
    std::fill(buckets_.begin(), buckets_.end(), 0);
    count_ = sum_ = max_ = 0;
    min_ = UINT64_MAX;
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // 0 without values, like the others below.
  [[nodiscard]] std::uint64_t min() const { return empty() ? 0 : min_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const {
    return empty() ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  // The value that a share `quantile` (0 to 1) of all values does not exceed, at most one bucket too high.
  [[nodiscard]] std::uint64_t at(double quantile) const {
    if (empty()) return 0;
    const double wanted = std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i];
      if (seen != 0 && static_cast<double>(seen) >= wanted) return std::clamp(last_of(i), min_, max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned kExactBits = 7;
  static constexpr std::size_t kPerDoubling = std::size_t{1} << kExactBits;
  // Values of 2^44 and above share the last bucket: in nanoseconds that is five hours.
  static constexpr unsigned kValueBits = 44;
  static constexpr std::size_t kBuckets = kPerDoubling * (kValueBits - kExactBits + 1);

  static std::size_t index_of(std::uint64_t value) {
    if (value < kPerDoubling) return value;
    const auto bits = static_cast<unsigned>(std::bit_width(value));
    if (bits > kValueBits) return kBuckets - 1;
    const unsigned shift = bits - 1 - kExactBits;
    return kPerDoubling * shift + (value >> shift);
  }
  // The largest value of a bucket.
  static std::uint64_t last_of(std::size_t index) {
    if (index < 2 * kPerDoubling) return index;
    if (index == kBuckets - 1) return UINT64_MAX;
    const std::size_t shift = index / kPerDoubling - 1;
    return ((index - kPerDoubling * shift + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
};

}  // namespace nightjar
