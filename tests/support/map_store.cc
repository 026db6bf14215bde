#include "tests/support/map_store.h"

#include "broker/mail.h"

namespace nightjar::testing {

using broker::Change;

void MapStore::announce(std::shared_ptr<broker::Commit> commit) {
  ++announced;
  if (peers_ != nullptr) order_->announce(std::move(commit));
}

bool MapStore::ready(broker::Commit& commit) {
  if (peers_ == nullptr) return false;
  broker::WorkerSet others = 0;
  const auto ready = order_->ready(commit, others);
  tell(others);
  return ready == broker::CommitOrder::Ready::kIsDurable;
}

void MapStore::start(broker::Peers& peers, broker::RetainedReader reader) {
  order_ = std::make_unique<broker::CommitOrder>();
  peers_ = &peers;
  reader_ = std::move(reader);
  ++runs;
}

bool MapStore::write() {
  if (is_held || is_refusing_ || peers_ == nullptr) return false;
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
    if ((workers & broker::bit({worker})) != 0) peers_->post({worker}, {worker}, broker::committed_batch());
  }
}

void MapStore::crash() {
  peers_ = nullptr;
  reader_ = {};
}

void MapStore::read(broker::WorkerIndex asker, broker::Table table, std::string from, std::string to,
                    std::size_t bytes_max, broker::ReadDone then) {
  broker::StoredEntries found;
  std::size_t bytes = 0;
  const Rows& all = rows(table);
  for (auto row = all.lower_bound(from); row != all.end() && row->first < to && bytes < bytes_max; ++row) {
    found.emplace_back(*row);
    bytes += row->second.size();
  }
  peers_->post(asker, asker,
               broker::task_batch([then = std::move(then), found = std::move(found)](
                                      broker::Worker& worker) mutable { then(worker, std::move(found)); }));
}

void MapStore::apply(const broker::Changes& changes) {
  changes.for_each([this](const Change& change) {
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
        if (reader_(change.key, value)) {
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
