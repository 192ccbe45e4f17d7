// Signals of the executor on Linux: the module as published lacks this file of the package.
package osspecific

import (
	"os"
	"syscall"

	"github.com/argoproj/argo-workflows/v4/util/errors"
)

// Term asks a process to end.
var Term = syscall.SIGTERM

// CanIgnoreSignal reports whether a signal concerns the executor only, not the command that it runs.
func CanIgnoreSignal(signal os.Signal) bool {
	return signal == syscall.SIGCHLD || signal == syscall.SIGURG
}

// Setpgid makes a new process the leader of a group of its own.
func Setpgid(attributes *syscall.SysProcAttr) {
	attributes.Setpgid = true
}

// Kill sends a signal to a process and its group.
func Kill(pid int, signal syscall.Signal) error {
	if group, err := syscall.Getpgid(pid); err == nil {
		return syscall.Kill(-group, signal)
	}
	return syscall.Kill(pid, signal)
}

// Wait returns how a process ended: nil, or an error that holds its exit code.
//
// The process is released first: the executor cancels the context of its command at SIGTERM, and a process that is not
// released would be killed then, before it has answered the signal. In the file for macOS it is released, too.
func Wait(process *os.Process) error {
	pid := process.Pid
	if err := process.Release(); err != nil {
		return err
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if status.Signaled() {
			return errors.NewExitErr(128 + int(status.Signal()))
		}
		return errors.NewExitErr(status.ExitStatus())
	}
}
