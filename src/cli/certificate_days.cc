#include "cli/certificate_days.h"

#include <algorithm>
#include <iterator>

namespace nightjar::cli {
namespace {

constexpr std::int64_t kDaySeconds = 24 * 3600;
// Something is said when fewer days are left than that; below 0 it has expired.
constexpr std::int64_t kBounds[] = {0, 1, 7, ExpiryNotices::kFirstDays};
// Certificates remembered; after so many one may be mentioned again.
constexpr std::size_t kRememberedMax = 100'000;

}  // namespace

std::int64_t days_left(std::int64_t valid_until_s, std::int64_t now_s) {
  const std::int64_t seconds = valid_until_s - now_s;
  return seconds >= 0 ? seconds / kDaySeconds : -1 - (-seconds / kDaySeconds);
}

bool ExpiryNotices::is_due(const std::string& id, std::int64_t days_left) {
  const auto* const bound = std::find_if(std::begin(kBounds), std::end(kBounds),
                                         [&](std::int64_t days) { return days_left < days; });
  if (bound == std::end(kBounds)) return false;
  if (said_.size() >= kRememberedMax && !said_.contains(id)) said_.clear();
  std::int64_t& said = said_.try_emplace(id, INT64_MAX).first->second;
  if (said <= *bound) return false;
  said = *bound;
  return true;
}

void ClientCertificates::count(std::int64_t days_left) {
  ++connected;
  if (days_left < 0) {
    ++expired;
    return;
  }
  if (days_left < 30) ++end_within_30_days;
  if (days_left < 7) ++end_within_7_days;
  if (days_left < 1) ++end_within_1_day;
}

ClientCertificates& ClientCertificates::operator+=(const ClientCertificates& other) {
  connected += other.connected;
  end_within_30_days += other.end_within_30_days;
  end_within_7_days += other.end_within_7_days;
  end_within_1_day += other.end_within_1_day;
  expired += other.expired;
  return *this;
}

}  // namespace nightjar::cli
