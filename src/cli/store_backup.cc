#include "cli/store_backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>

#include "cli/control_client.h"
#include "cli/data_dir.h"
#include "net/fd.h"
#include "store/rocks_store.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// To another disk a large store takes its time.
constexpr int kBackupPatienceS = 3600;

// A name that is not synced is gone after a power cut, with all that is below it.
Result<void> sync_directory(const fs::path& directory) {
  const net::Fd opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (opened && ::fsync(opened.get()) == 0) return {};
  return fail(fmt::format("cannot sync {}: {}", directory.string(), std::strerror(errno)));
}

// True if it was made.
Result<bool> make_empty_directory(const fs::path& target) {
  std::error_code error;
  const bool is_new = fs::create_directories(target, error);
  if (error) {
    return fail(fmt::format("cannot make {} for the backup: {}", target.string(), error.message()));
  }
  if (!is_new && !fs::is_empty(target, error)) {
    return fail(fmt::format("{} is not empty: give a directory for the backup that is empty or not there",
                            target.string()));
  }
  fs::permissions(target, fs::perms::owner_all, error);
  return is_new;
}

Result<void> let_broker_back_up(const fs::path& data_dir, const fs::path& target) {
  const ControlRequest request{.method = "POST",
                               .path = {"api", "v1", "backup"},
                               .body = json::serialize(json::object{{"directory", target.string()}})};
  NJ_CHECK(ask_broker(data_dir, request, kBackupPatienceS));
  return {};
}

}  // namespace

Result<void> back_up(const fs::path& target, const CopyStore& copy) {
  NJ_TRY(const bool is_new, make_empty_directory(target));
  auto made = copy(target / kStoreName);
  std::error_code ignored;
  fs::permissions(target / kStoreName, fs::perms::owner_all, ignored);
  if (made) made = sync_directory(target);
  if (made) made = sync_directory(target.parent_path());
  if (made) return {};
  for (const auto& entry : fs::directory_iterator(target, ignored)) fs::remove_all(entry.path(), ignored);
  if (is_new) fs::remove(target, ignored);
  return made;
}

Result<void> back_up_data(const fs::path& data_dir, const fs::path& target) {
  const fs::path absolute = fs::absolute(target).lexically_normal();
  const fs::path directory = absolute.has_filename() ? absolute : absolute.parent_path();
  if (broker_serves(data_dir)) return let_broker_back_up(data_dir, directory);
  NJ_TRY(const DataDir data, DataDir::open_existing(data_dir));
  std::error_code error;
  if (!fs::exists(data.store(), error)) {
    return fail(fmt::format("there is no store in {}: give the broker's data directory with --data",
                            data.path().string()));
  }
  NJ_TRY(const auto store, store::RocksStore::open(data.store(), {}));
  return back_up(directory, [&store](const fs::path& copy) { return store->backup(copy); });
}

}  // namespace nightjar::cli
