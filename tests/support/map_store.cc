#include "tests/support/map_store.h"

#include "broker/mail.h"

namespace nightjar::testing {

using broker::Change;

void MapStore::announce(std::shared_ptr<broker::Commit> commit) {
  ++announced;
  if (node_ != nullptr) order_->announce(std::move(commit));
}

bool MapStore::ready(broker::Commit& commit) {
  if (node_ == nullptr) return false;
  broker::WorkerSet others = 0;
  const auto ready = order_->ready(commit, others);
  tell(others);
  return ready == broker::CommitOrder::Ready::kIsDurable;
}

broker::Restored MapStore::start(broker::Node& node, std::span<broker::Worker* const> workers,
                                 const broker::ListenerPolicy& listener) {
  order_ = std::make_unique<broker::CommitOrder>();
  node_ = &node;
  const MonoTime now = node.ports().clock.now();
  // The clock of a World begins anew, that of the store goes on.
  node.begin_run(++runs_, {time_ms_ - now.ms});
  for (broker::Worker* worker : workers) worker->begin_turn(now);
  const broker::ListenerPolicy* const policy = &listener;
  broker::Restore restore(node, workers, {&policy, 1});
  for (const auto& [key, value] : at(broker::Table::kSessions)) restore.session_row(key, value);
  for (const auto& [key, value] : at(broker::Table::kMeta)) restore.meta_row(key, value);
  const Rows& messages = at(broker::Table::kQueues);
  for (const auto& [from, to] : restore.rows_to_read()) {
    for (auto row = messages.lower_bound(from); row != messages.lower_bound(to); ++row)
      restore.queue_row(row->first, row->second);
  }
  for (const auto& [key, value] : at(broker::Table::kRetained)) restore.retained_row(key, value);
  broker::Changes changes;
  broker::Restored restored = restore.finish(changes);
  apply(changes);
  for (broker::Worker* worker : workers) worker->end_turn();
  return restored;
}

bool MapStore::write() {
  if (is_held || is_refusing_ || node_ == nullptr) return false;
  const auto commits = order_->take();
  if (commits.empty()) return false;
  for (const auto& commit : commits) {
    for (const broker::Changes& part : commit->parts()) apply(part);
  }
  writes_ += commits.size();
  tell(order_->written(commits));
  return true;
}

void MapStore::tell(broker::WorkerSet workers) {
  for (std::uint16_t worker = 0; worker < broker::kWorkersMax; ++worker) {
    if ((workers & broker::bit({worker})) != 0)
      node_->ports().peers.post({worker}, {worker}, broker::committed_batch());
  }
}

void MapStore::crash() {
  time_ms_ = node_->store_clock().offset_ms + node_->ports().clock.now().ms;
  node_ = nullptr;
}

void MapStore::read(broker::WorkerIndex asker, broker::Table table, std::string from, std::string to,
                    std::size_t bytes_max, broker::ReadDone then) {
  broker::StoredEntries found;
  std::size_t bytes = 0;
  const Rows& all = at(table);
  for (auto row = all.lower_bound(from); row != all.end() && row->first < to && bytes < bytes_max; ++row) {
    found.emplace_back(*row);
    bytes += row->second.size();
  }
  node_->ports().peers.post(
      asker, asker,
      broker::task_batch([then = std::move(then), found = std::move(found)](broker::Worker& worker) mutable {
        then(worker, std::move(found));
      }));
}

void MapStore::apply(const broker::Changes& changes) {
  const broker::RetainedReader retained = node_->retained_reader();
  changes.for_each([&](const Change& change) {
    Rows& rows = tables_[static_cast<std::size_t>(change.table)];
    switch (change.kind) {
      case Change::Kind::kPut:
        rows.insert_or_assign(std::string(change.key), std::string(change.value));
        break;
      case Change::Kind::kErase:
        rows.erase(std::string(change.key));
        break;
      case Change::Kind::kEraseRange:
        rows.erase(rows.lower_bound(change.key), rows.lower_bound(change.value));
        break;
      case Change::Kind::kRefresh: {
        ByteBuffer value;
        if (retained(change.key, value)) {
          rows.insert_or_assign(std::string(change.key), std::string(as_text(value.view())));
        } else {
          rows.erase(std::string(change.key));
        }
        break;
      }
    }
  });
}

}  // namespace nightjar::testing
