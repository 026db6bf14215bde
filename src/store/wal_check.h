// Whether the write-ahead log of a store has lost something that was durable once. RocksDB reads its log up
// to the first damaged place, or over a run of zeros, and is silent about the rest, whatever lies there.
// Commits are synced one by one, so a power cut can damage the last record and nothing else: a record behind
// a damaged place, or a hole in the sequence numbers, means that the disk or somebody's hand took away what
// was acknowledged.
//
// What nobody can see: damage of the very last record, which looks like a write that was cut short.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace rocksdb {
class DB;
class Env;
}  // namespace rocksdb

namespace nightjar::store {

// Where the log of a database begins, read-only or not: `first_of_tables` is the first log that any table
// refers to. One that nothing was written to refers to a log from long ago, which may be gone or left alone
// by now.
std::uint64_t first_log_of(rocksdb::DB& database, std::uint64_t first_of_tables);

// Reads the logs in `directory` with number `first_log` and up, which nobody writes meanwhile; those before
// are done with and may be there in part. An error says what is damaged and where.
Result<void> check_wal(rocksdb::Env& env, const std::filesystem::path& directory, std::uint64_t first_log);

// For who wants to know what damage costs: the contents of the records that are whole and that nobody reads,
// because they lie behind the first damaged place or hole. Each is a batch of changes as RocksDB writes it.
Result<std::vector<std::string>> records_behind_damage(rocksdb::Env& env,
                                                       const std::filesystem::path& directory,
                                                       std::uint64_t first_log);

}  // namespace nightjar::store
