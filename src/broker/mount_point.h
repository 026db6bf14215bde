// The mount point of a listener: what stands in front of every topic and filter of its clients inside the
// broker and is unknown to them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mqtt/topic.h"

namespace nightjar::broker {

// Longer topics and filters have no room in a packet.
inline constexpr std::size_t kTopicBytesMax = 65'535;

// "$share/NAME/" stays in front of the mount point. What is no proper shared filter stays as it is.
inline std::string mounted_filter(std::string_view mount_point, std::string_view filter) {
  mqtt::SharedFilter shared;
  if (!mqtt::is_shared(filter)) return std::string{mount_point}.append(filter);
  if (!mqtt::parse_shared(filter, shared)) return std::string{filter};
  std::string mounted{filter.substr(0, filter.size() - shared.filter.size())};
  return mounted.append(mount_point).append(shared.filter);
}

// A topic as the client knows it; nothing if it lies outside of the mount point.
inline std::optional<std::string_view> unmounted_topic(std::string_view mount_point, std::string_view topic) {
  if (topic.size() <= mount_point.size() || !topic.starts_with(mount_point)) return std::nullopt;
  return topic.substr(mount_point.size());
}

}  // namespace nightjar::broker
