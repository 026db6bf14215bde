// What outlives a start: opens the store of a data directory and brings back what it holds. Used by the main
// thread, before the workers start.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/durable/restore.h"
#include "broker/node.h"
#include "broker/worker.h"
#include "config/config.h"
#include "store/rocks_store.h"

namespace nightjar::cli {

// The error names the directory and what to do.
Result<std::unique_ptr<store::RocksStore>> open_store(const std::filesystem::path& data_dir,
                                                      config::Durability durability);

// Tells one boot of the machine from the next; the clock counts from it.
std::string boot_id();

// Fills the node and its workers. `boot`: what boot_id() says. Fails if a row is damaged: what would be lost
// without it is for the operator to decide.
Result<broker::Restored> restore(store::RocksStore& store, broker::Node& node,
                                 std::span<broker::Worker* const> workers,
                                 std::span<const broker::ListenerPolicy* const> listeners,
                                 std::string_view boot);

}  // namespace nightjar::cli
