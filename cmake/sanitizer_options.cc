// Options of the sanitizers, built into every instrumented program: they hold however it is started, by
// ctest, by the conformance suite or by hand. ASAN_OPTIONS, UBSAN_OPTIONS and TSAN_OPTIONS still override
// them.

extern "C" {

const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:check_initialization_order=1:strict_init_order=1:"
         "strict_string_checks=1";
}

const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

// A broker with a race ends at once, so that the test that met it is the one that fails.
const char* __tsan_default_options() { return "halt_on_error=1:second_deadlock_stack=1:history_size=5"; }

// RocksDB comes from the system and is not instrumented: a reader of a table in memory and its writer meet in
// atomics that ThreadSanitizer does not see.
const char* __tsan_default_suppressions() { return "race:librocksdb.so\n"; }

}  // extern "C"
