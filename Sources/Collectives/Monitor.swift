import Glibc

/// A mutex and a condition variable: threads that wait sleep.
///
/// `@unchecked Sendable`: both are made for use from several threads, at addresses that do not change.
final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    mutex.initialize(to: pthread_mutex_t())
    condition.initialize(to: pthread_cond_t())
    precondition(pthread_mutex_init(mutex, nil) == 0 && pthread_cond_init(condition, nil) == 0)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` while no other thread is in here.
  func locked<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Within `locked`: lets others in until one calls `wakeAll`. May return without: check and wait again.
  func wait() { pthread_cond_wait(condition, mutex) }

  /// Wakes every thread that waits.
  func wakeAll() { pthread_cond_broadcast(condition) }
}

/// Starts a thread that nobody joins.
///
/// - Returns: false when the system has no thread to give.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  final class Start {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  let start = Unmanaged.passRetained(Start(body))
  var thread = pthread_t()
  let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { start in
    if let start { Unmanaged<Start>.fromOpaque(start).takeRetainedValue().body() }
    return nil
  }
  guard pthread_create(&thread, nil, entry, start.toOpaque()) == 0 else {
    start.release()
    return false
  }
  pthread_detach(thread)
  return true
}

/// Never returns: the thread sleeps for the rest of the process's life.
func parkThread() -> Never {
  while true { _ = pause() }
}
