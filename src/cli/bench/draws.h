// Which of a number of things each message takes: evenly, or by Zipf's law. The same draws in every run, so
// that brokers are given the same work. Values without locks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace nightjar::cli::bench {

// A long enough list of draws that it never matters that it repeats.
inline constexpr std::size_t kDraws = std::size_t{1} << 20U;

// `exponent` 0: evenly.
inline std::vector<std::uint32_t> make_draws(std::uint32_t things, double exponent) {
  std::mt19937_64 random(20'260'101);  // NOLINT: repeatable on purpose
  std::vector<std::uint32_t> draws(kDraws);
  if (exponent == 0) {
    for (std::uint32_t& each : draws) each = static_cast<std::uint32_t>(random() % things);
    return draws;
  }
  std::vector<double> sums(things);  // of the weights up to each thing
  double sum = 0;
  for (std::uint32_t i = 0; i < things; ++i) sums[i] = sum += std::pow(i + 1.0, -exponent);
  // Popular topics shall not be neighbours in the broker's tree: rank r is thing r * step.
  constexpr std::uint64_t kStep = 7919;  // a prime
  for (std::uint32_t& each : draws) {
    const double point = std::ldexp(static_cast<double>(random() >> 11U), -53) * sum;
    const auto rank =
        static_cast<std::uint64_t>(std::lower_bound(sums.begin(), sums.end(), point) - sums.begin());
    each = static_cast<std::uint32_t>(std::min<std::uint64_t>(rank, things - 1) * kStep % things);
  }
  return draws;
}

}  // namespace nightjar::cli::bench
