#include "config/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "config/describe.h"
#include "config/schema.h"

namespace nightjar::config {
namespace {

// What a running broker does about a key of a section that stands once.
Effect effect_of(std::string_view section, std::string_view key) {
  if (section == "limits") return Effect::kNewConnections;
  if (section != "node") return Effect::kAtOnce;
  return key.starts_with("max_") || key == "log_connections" || key == "check_retained_source"
             ? Effect::kAtOnce
             : Effect::kRestart;
}

using Visit = std::function<void(const std::string& label, const Slot& slot)>;

void visit(const Section& section, const std::string& label, const Visit& each) {
  for (const Slot& slot : section.slots) each(label, slot);
  for (const Section& nested : section.nested) {
    if (!nested.further) visit(nested, fmt::format("{}.{}", label, nested.name), each);
  }
}

std::vector<Setting> values_of(const Section& section, const std::string& label) {
  std::vector<Setting> values;
  visit(section, label, [&](const std::string& where, const Slot& slot) {
    values.push_back({fmt::format("{}.{}", where, slot.name), to_toml(slot.shape, slot.get()), {}});
  });
  return values;
}

// Of a listener, those of its further certificates included.
std::vector<Setting> values_of(ListenerConfig& listener, const std::string& label) {
  std::vector<Setting> values = values_of(section_of(listener), label);
  std::size_t number = 0;
  for (const CertificateFiles& files : listener.tls.more) {
    // As the reader calls them.
    const std::string own = label + (++number == 1 ? ".tls.more" : fmt::format(".tls.more.{}", number));
    values.push_back({own + ".certificate", fmt::format("\"{}\"", files.certificate), {}});
    values.push_back({own + ".key", fmt::format("\"{}\"", files.key), {}});
  }
  return values;
}

// Both have the same keys, except that those at the end of the longer one are new, or gone.
void compare(std::vector<Setting> old, std::vector<Setting> now, const std::string& label,
             const std::function<Effect(std::string_view key)>& effect, std::vector<Change>& changes) {
  for (std::size_t i = old.size(); i < now.size(); ++i) old.push_back({now[i].key, "", {}});
  for (std::size_t i = now.size(); i < old.size(); ++i) now.push_back({old[i].key, "", {}});
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (old[i].value == now[i].value) continue;
    const std::string_view key = std::string_view(now[i].key).substr(label.size() + 1);
    changes.push_back({now[i].key, old[i].value, now[i].value, effect(key)});
  }
}

std::string label_of(const ListenerConfig& listener) {
  // No file says it.
  return listener.label.empty() ? "listener." + name_of(listener) : listener.label;
}

// A limit that listeners have from [limits] or [queue] is one change, not one for each of them.
bool is_inherited(const Change& change, std::string_view key, const std::vector<Change>& changes) {
  return std::any_of(changes.begin(), changes.end(), [&](const Change& other) {
    const bool is_of_all = other.key == fmt::format("limits.{}", key) || other.key == key ||
                           other.key == fmt::format("auth.{}", key);
    return is_of_all && other.from == change.from && other.to == change.to;
  });
}

void compare_listeners(std::vector<ListenerConfig>& before, std::vector<ListenerConfig>& after,
                       std::vector<Change>& changes) {
  const auto place = [](const ListenerConfig& listener) {
    return listener.unix_path.empty() ? fmt::format("{}:{}", listener.address, listener.port)
                                      : listener.unix_path;
  };
  const auto find = [](std::vector<ListenerConfig>& in, const ListenerConfig& wanted) {
    return std::find_if(in.begin(), in.end(), [&](const auto& one) { return is_same_place(one, wanted); });
  };
  for (const ListenerConfig& gone : before) {
    if (find(after, gone) == after.end())
      changes.push_back({label_of(gone), place(gone), "", Effect::kClosedListener});
  }
  for (ListenerConfig& now : after) {
    const auto was = find(before, now);
    if (was == before.end()) {
      changes.push_back({label_of(now), "", place(now), Effect::kNewListener});
      continue;
    }
    const auto effect = [](std::string_view key) {
      const bool is_at_once = key.starts_with("queue.") || key.starts_with("auth.") ||
                              key == "allow_anonymous" || key == "path_mode" || key == "name";
      return is_at_once ? Effect::kAtOnce : Effect::kNewConnections;
    };
    std::vector<Change> of_this;
    const std::string label = label_of(now);
    compare(values_of(*was, label), values_of(now, label), label, effect, of_this);
    std::erase_if(of_this, [&](const Change& change) {
      return is_inherited(change, std::string_view(change.key).substr(label_of(now).size() + 1), changes);
    });
    changes.insert(changes.end(), of_this.begin(), of_this.end());
  }
}

bool refuses(const broker::QueueLimits& queue) { return queue.overflow == broker::OverflowPolicy::kReject; }

// As before, or without refusing if it was not there before.
void keep_overflow(broker::QueueLimits& queue, const broker::QueueLimits& before) {
  if (refuses(queue)) queue.overflow = before.overflow;
}

void keep_from_refusing(const Config& before, Config& after) {
  keep_overflow(after.policy.shared_queue, before.policy.shared_queue);
  keep_overflow(after.limits.queue, before.limits.queue);
  for (ListenerConfig& listener : after.listeners) {
    const auto was = std::find_if(before.listeners.begin(), before.listeners.end(),
                                  [&](const auto& other) { return is_same_place(other, listener); });
    keep_overflow(listener.policy.queue,
                  was == before.listeners.end() ? before.limits.queue : was->policy.queue);
  }
}

}  // namespace

bool refuses_when_full(const Config& config) {
  return config.policy.refuses_when_full || refuses(config.policy.shared_queue) ||
         std::any_of(config.listeners.begin(), config.listeners.end(),
                     [](const ListenerConfig& listener) { return refuses(listener.policy.queue); });
}

bool is_same_place(const ListenerConfig& a, const ListenerConfig& b) {
  if (!a.unix_path.empty() || !b.unix_path.empty()) return a.unix_path == b.unix_path;
  return a.address == b.address && a.port == b.port && a.interface == b.interface && a.ip == b.ip;
}

std::string name_of(const ListenerConfig& listener) { return listener.policy.name; }

std::string key_of(const ListenerConfig& listener, std::string_view key) {
  return fmt::format("{}.{}", label_of(listener), key);
}

std::vector<Change> differences(Config before, Config after) {
  std::vector<Change> changes;
  const std::vector<Section> old = sections_of(before);
  const std::vector<Section> now = sections_of(after);
  for (std::size_t i = 0; i < now.size(); ++i) {
    const std::string& name = now[i].name;
    compare(
        values_of(old[i], name), values_of(now[i], name), name,
        [&](std::string_view key) { return effect_of(name, key); }, changes);
  }
  compare_listeners(before.listeners, after.listeners, changes);
  if (refuses_when_full(before)) return changes;
  for (Change& change : changes) {
    if (change.key.ends_with(".overflow") && change.to == "\"reject\"") change.effect = Effect::kRestart;
  }
  return changes;
}

Config without_restart(Config before, Config after) {
  const std::vector<Section> old = sections_of(before);
  const std::vector<Section> now = sections_of(after);
  for (std::size_t i = 0; i < now.size(); ++i) {
    for (std::size_t k = 0; k < now[i].slots.size(); ++k) {
      if (effect_of(now[i].name, now[i].slots[k].name) == Effect::kRestart)
        now[i].slots[k].set(old[i].slots[k].get());
    }
  }
  if (!refuses_when_full(before)) keep_from_refusing(before, after);
  after.policy.refuses_when_full = refuses_when_full(before);
  return after;
}

std::vector<Setting> settings(Config config) {
  std::vector<Setting> all;
  const auto add = [&](std::vector<Setting> values) {
    for (Setting& each : values) {
      const auto said = config.places.find(each.key);
      each.origin = said == config.places.end() ? "default" : said->second;
      if (config.from_command_line.contains(each.key)) each.origin = "command line";
      all.push_back(std::move(each));
    }
  };
  for (const Section& section : sections_of(config)) add(values_of(section, section.name));
  for (ListenerConfig& listener : config.listeners) add(values_of(listener, label_of(listener)));
  return all;
}

}  // namespace nightjar::config
